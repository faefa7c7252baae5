//! Sends queued emails: claims, decrypts, composes and sends each, and retries failures later.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use charter_authn::secrets::Sealer;
use charter_domain::clock::Clock;
use charter_domain::confirmed_clock::{ConfirmedClock, Unconfirmed};
use charter_domain::outgoing_email::Email;
use charter_domain::timestamp::Timestamp;
use charter_store::{Claim, ClaimedJob, JobKind, Store};

use super::message::Composer;
use super::transport::Transport;

/// Poll interval without notifications: for emails of other processes, and for retries.
const POLL: Duration = Duration::from_secs(5);
/// Time limit of one attempt; a little more than the usual timeout of mail servers.
const SEND_TIMEOUT: Duration = Duration::from_mins(1);
/// Delay after the first failure; doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(30);
const MAX_RETRY: Duration = Duration::from_hours(1);
/// Longer than an attempt, so that no other process sends the same email meanwhile.
const CLAIM: Duration = Duration::from_secs(90);
const AT_ONCE: u64 = 20;

pub struct Sender {
    pub store: Arc<Store>,
    pub sealer: Arc<Sealer>,
    pub composer: Composer,
    pub transport: Transport,
    /// Notified of new emails.
    pub changed: Arc<Notify>,
    pub clock: Arc<dyn Clock>,
    /// Decides whether links have expired.
    pub confirmed: Arc<ConfirmedClock>,
}

impl Sender {
    /// Sends until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            // An interrupted job is due again when its claim ends.
            let found = tokio::select! {
                found = self.send_due() => found,
                () = stop.cancelled() => break,
            };
            // More jobs are waiting.
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

    /// Sends the due emails and returns their number.
    async fn send_due(&self) -> u64 {
        let now = self.clock.now();
        let claim = Claim {
            now,
            until: now + CLAIM,
            latest: now + SEND_TIMEOUT + MAX_RETRY,
        };
        let due = match self.store.claim_jobs(JobKind::Mail, claim, AT_ONCE).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "could not read the queued emails; retrying");
                return 0;
            }
        };
        let found = due.len() as u64;
        // Concurrently, so that no claim ends while another email is sent.
        join_all(due.into_iter().map(|mail| self.process(mail, now))).await;
        found
    }

    async fn process(&self, mail: ClaimedJob, now: Timestamp) {
        let (id, attempts) = (mail.id, mail.attempts);
        match self.attempt(&mail).await {
            Outcome::Sent => {
                count("sent");
                tracing::info!(mail = %id, "sent an email");
            }
            Outcome::Expired => {
                count("dropped");
                tracing::error!(mail = %id, attempts, "dropped an email: its link expired before it could be sent");
            }
            Outcome::Withdrawn => {
                count("withdrawn");
                tracing::info!(mail = %id, attempts, "dropped an email: its link was revoked before it could be sent");
            }
            Outcome::Unconfirmed(error) => {
                count("kept");
                tracing::warn!(mail = %id, %error, "the link of an email seems to have expired; the email is kept until the clock is confirmed");
                return self.retry(&mail, now).await;
            }
            // Whatever the server's code: a wrong password in our settings is a permanent error for the server,
            // too.
            Outcome::Failed(error) => {
                count("failed");
                tracing::warn!(mail = %id, attempts, %error, "could not send an email; retrying");
                return self.retry(&mail, now).await;
            }
        }
        if let Err(error) = self.store.finish_job(id).await {
            tracing::warn!(mail = %id, %error, "could not remove a finished email; it may be sent again");
        }
    }

    async fn attempt(&self, mail: &ClaimedJob) -> Outcome {
        if mail.expires_at <= self.clock.now() {
            return match self.confirmed.now() {
                Ok(_) => Outcome::Expired,
                Err(error) => Outcome::Unconfirmed(error),
            };
        }
        match tokio::time::timeout(SEND_TIMEOUT, self.send(mail)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Outcome::Failed(error),
            Err(_elapsed) => Outcome::Failed("it took too long".into()),
        }
    }

    async fn retry(&self, mail: &ClaimedJob, claimed_at: Timestamp) {
        let not_before = claimed_at + SEND_TIMEOUT + pause_after(mail.attempts);
        if let Err(error) = self.store.retry_job(mail, not_before).await {
            tracing::warn!(mail = %mail.id, %error, "could not reschedule an email; it is retried when its claim ends");
        }
    }

    async fn send(&self, mail: &ClaimedJob) -> Result<Outcome, BoxError> {
        if let Some(link) = &mail.link
            && !self.store.is_link_open(link).await?
        {
            return Ok(Outcome::Withdrawn);
        }
        let opened = self.sealer.open_mail(&mail.payload, mail.id)?;
        let email: Email = serde_json::from_slice(&opened)?;
        let message = self.composer.compose(mail.id, &email, self.clock.now())?;
        self.transport.send(mail.id, &message).await?;
        Ok(Outcome::Sent)
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The result of one attempt.
enum Outcome {
    Sent,
    Withdrawn,
    Expired,
    /// Expired according to a clock that may be ahead.
    Unconfirmed(Unconfirmed),
    Failed(BoxError),
}

fn count(outcome: &'static str) {
    metrics::counter!("charter_mails_total", "outcome" => outcome).increment(1);
}

/// The delay before the next attempt, given the number of earlier ones.
fn pause_after(attempts: u32) -> Duration {
    let factor = 1_u32.checked_shl(attempts).unwrap_or(u32::MAX);
    FIRST_RETRY.saturating_mul(factor).min(MAX_RETRY)
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
