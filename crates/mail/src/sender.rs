//! Empties the outbox: what is due is taken, opened, composed and sent, and taken again later if
//! that failed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use charter_authn::secrets::Sealer;
use charter_domain::access_key::SealedSecret;
use charter_domain::clock::Clock;
use charter_domain::confirmed_clock::ConfirmedClock;
use charter_domain::id::MailId;
use charter_domain::outgoing_email::Email;
use charter_store::{PendingMail, Store};

use super::message::Composer;
use super::transport::Transport;

/// How often the outbox is looked at when nobody says that there is something new: for what another
/// process put there, and for what is to be tried again.
const POLL: Duration = Duration::from_secs(5);
/// A bound on one try; a little more than a mail server's longest usual pause.
const WAIT_TIMEOUT: Duration = Duration::from_mins(1);
/// After the first failure; it doubles.
const FIRST_RETRY: Duration = Duration::from_secs(30);
const LONGEST_RETRY: Duration = Duration::from_hours(1);
const AT_ONCE: u64 = 20;

/// Sends what is in the outbox.
pub struct Sender {
    /// The outbox.
    pub store: Arc<Store>,
    /// Opens it.
    pub sealer: Arc<Sealer>,
    /// Finds the words.
    pub composer: Composer,
    /// Sends them.
    pub transport: Transport,
    /// Told when something was put into the outbox.
    pub changed: Arc<Notify>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What is dropped for its age is dropped by this clock.
    pub confirmed: Arc<ConfirmedClock>,
}

impl Sender {
    /// Sends until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            // What is under way when it is stopped is due again once its lease is over.
            let found = tokio::select! {
                found = self.send_due() => found,
                () = stop.cancelled() => break,
            };
            // More than one handful is waiting.
            if found == AT_ONCE && !stop.is_cancelled() {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// One round; how many mails it found.
    async fn send_due(&self) -> u64 {
        let now = self.clock.now();
        // Until then nobody else takes it, whether this try fails or this process ends.
        let lease = |attempts: u32| now + WAIT_TIMEOUT + pause_after(attempts);
        // Nothing rests longer: such a time was written by a clock that was ahead.
        let horizon = lease(u32::MAX);
        let due = match self
            .store
            .take_due_mails((now, horizon), AT_ONCE, lease)
            .await
        {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "the outbox cannot be read, it is tried again");
                return 0;
            }
        };
        let found = due.len() as u64;
        // At the same time, so that no lease ends while others are waited for.
        join_all(due.into_iter().map(|pending| self.deal_with(pending))).await;
        found
    }

    async fn deal_with(&self, mail: PendingMail) {
        let (id, attempts) = (mail.id, mail.attempts);
        if mail.expires_at <= self.clock.now() {
            if let Err(error) = self.confirmed.now() {
                metrics::counter!("charter_mails_total", "outcome" => "kept").increment(1);
                tracing::warn!(mail = %id, %error, "the link of a mail seems to be void, the mail is kept until that is certain");
                return;
            }
            tracing::error!(mail = %id, attempts, "a mail was not sent before its link was void, it is dropped");
            metrics::counter!("charter_mails_total", "outcome" => "dropped").increment(1);
            return self.done(id).await;
        }
        if mail.is_void {
            tracing::info!(mail = %id, attempts, "the link of a mail was withdrawn before it was sent, it is dropped");
            metrics::counter!("charter_mails_total", "outcome" => "withdrawn").increment(1);
            return self.done(id).await;
        }
        match tokio::time::timeout(WAIT_TIMEOUT, self.send(&mail)).await {
            Ok(Ok(())) => {
                metrics::counter!("charter_mails_total", "outcome" => "sent").increment(1);
                tracing::info!(mail = %id, "a mail was sent");
                self.done(id).await;
            }
            // Whatever the server's code: a wrong password of ours is a permanent refusal, too.
            Ok(Err(error)) => Self::failed(id, attempts, &error),
            Err(_elapsed) => Self::failed(id, attempts, &"it took too long"),
        }
    }

    async fn send(
        &self,
        mail: &PendingMail,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let sealed = SealedSecret {
            sealing_key_id: mail.sealing_key_id.clone(),
            bytes: mail.content.clone(),
        };
        let opened = self.sealer.open_mail(&sealed, mail.id)?;
        let email: Email = serde_json::from_slice(&opened)?;
        let message = self.composer.compose(mail.id, &email, self.clock.now())?;
        self.transport.send(mail.id, &message).await?;
        Ok(())
    }

    fn failed(mail: MailId, attempts: u32, why: &dyn std::fmt::Display) {
        metrics::counter!("charter_mails_total", "outcome" => "failed").increment(1);
        tracing::warn!(mail = %mail, attempts, error = %why, "a mail was not sent, it is tried again");
    }

    async fn done(&self, mail: MailId) {
        if let Err(error) = self.store.mail_is_done(mail).await {
            tracing::warn!(mail = %mail, %error, "a mail that is done stays in the outbox, it may be sent again");
        }
    }
}

/// How long a mail rests after it failed, given how often it was tried before.
fn pause_after(attempts: u32) -> Duration {
    let factor = 1_u32.checked_shl(attempts).unwrap_or(u32::MAX);
    FIRST_RETRY.saturating_mul(factor).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_an_hour() {
        let pauses: Vec<_> = [0, 1, 2, 6, 7, 40, u32::MAX]
            .map(|attempts| pause_after(attempts).as_secs())
            .into();
        assert_eq!(pauses, [30, 60, 120, 1920, 3600, 3600, 3600]);
    }
}
