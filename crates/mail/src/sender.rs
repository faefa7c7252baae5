//! Sends the mails that wait as jobs: each is claimed, opened, composed and sent, and tried again later if that
//! failed.

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

/// Between looks when nobody says that there is a new mail: for those of another process, and for retries.
const POLL: Duration = Duration::from_secs(5);
/// Of one attempt; a little more than a mail server's longest usual pause.
const SEND_TIMEOUT: Duration = Duration::from_mins(1);
/// After the first failure; it doubles.
const FIRST_RETRY: Duration = Duration::from_secs(30);
const LONGEST_RETRY: Duration = Duration::from_hours(1);
/// Longer than an attempt, so that nobody else sends the same mail meanwhile.
const CLAIM: Duration = Duration::from_secs(90);
const AT_ONCE: u64 = 20;

/// Sends mails.
pub struct Sender {
    pub store: Arc<Store>,
    pub sealer: Arc<Sealer>,
    pub composer: Composer,
    pub transport: Transport,
    /// Told of a new mail.
    pub changed: Arc<Notify>,
    pub clock: Arc<dyn Clock>,
    /// What is dropped for its age is dropped by this clock.
    pub confirmed: Arc<ConfirmedClock>,
}

impl Sender {
    /// Sends until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            // What is under way when it is stopped is due again when its claim ends.
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
        let claim = Claim {
            now,
            until: now + CLAIM,
            latest: now + SEND_TIMEOUT + LONGEST_RETRY,
        };
        let due = match self.store.claim_jobs(JobKind::Mail, claim, AT_ONCE).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "the waiting mails cannot be read, it is tried again");
                return 0;
            }
        };
        let found = due.len() as u64;
        // At the same time, so that no claim ends while others are waited for.
        join_all(due.into_iter().map(|mail| self.deal_with(mail, now))).await;
        found
    }

    async fn deal_with(&self, mail: ClaimedJob, now: Timestamp) {
        let (id, attempts) = (mail.id, mail.attempts);
        match self.attempt(&mail).await {
            Outcome::Sent => {
                count("sent");
                tracing::info!(mail = %id, "a mail was sent");
            }
            Outcome::Expired => {
                count("dropped");
                tracing::error!(mail = %id, attempts, "a mail was not sent before its link expired, it is dropped");
            }
            Outcome::Withdrawn => {
                count("withdrawn");
                tracing::info!(mail = %id, attempts, "the link of a mail was withdrawn before it was sent, it is dropped");
            }
            Outcome::Unconfirmed(error) => {
                count("kept");
                tracing::warn!(mail = %id, %error, "the link of a mail seems to be expired, the mail is kept until that is certain");
                return self.retry(&mail, now).await;
            }
            // Whatever the server's code: a wrong password of ours is a permanent refusal, too.
            Outcome::Failed(error) => {
                count("failed");
                tracing::warn!(mail = %id, attempts, %error, "a mail was not sent, it is tried again");
                return self.retry(&mail, now).await;
            }
        }
        if let Err(error) = self.store.finish_job(id).await {
            tracing::warn!(mail = %id, %error, "a mail that is done could not be removed, it may be sent again");
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
            tracing::warn!(mail = %mail.id, %error, "a mail could not be put off, it is tried again when its claim ends");
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

/// What became of one attempt.
enum Outcome {
    Sent,
    Withdrawn,
    Expired,
    /// Expired by a clock that may be ahead.
    Unconfirmed(Unconfirmed),
    Failed(BoxError),
}

fn count(outcome: &'static str) {
    metrics::counter!("charter_mails_total", "outcome" => outcome).increment(1);
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
