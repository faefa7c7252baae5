//! Metrics of the replay guard.

use metrics::{Counter, Gauge, counter, gauge};

use super::claim_error::ClaimError;
use super::status::Status;

/// Counts files that vanished while the service runs. Nothing is refused because of it.
pub(super) fn file_missed() {
    counter!("charter_log_files_missed_total", "file" => "replay").increment(1);
}

/// The guard's metrics, looked up once.
pub(super) struct Telemetry {
    claimed: Counter,
    replayed: Counter,
    forgotten: Counter,
    outside_window: Counter,
    key_quota: Counter,
    organization_share: Counter,
    full: Counter,
    not_held: Counter,
    closed: Counter,
    unavailable: Counter,
    pub(super) clock_stepped_back: Counter,
    pub(super) journal_errors: Counter,
    remembered: Gauge,
    bytes: Gauge,
    buckets: Gauge,
    closed_until: Gauge,
}

impl Telemetry {
    pub(super) fn new() -> Self {
        let claims = |outcome| counter!("charter_replay_claims_total", "outcome" => outcome);
        Self {
            claimed: claims("claimed"),
            replayed: claims("replayed"),
            forgotten: claims("forgotten"),
            outside_window: claims("outside_window"),
            key_quota: claims("key_quota"),
            organization_share: claims("organization_share"),
            full: claims("full"),
            not_held: claims("not_held"),
            closed: claims("closed"),
            unavailable: claims("unavailable"),
            clock_stepped_back: counter!("charter_replay_clock_stepped_back_total"),
            journal_errors: counter!("charter_replay_journal_errors_total"),
            remembered: gauge!("charter_replay_remembered"),
            bytes: gauge!("charter_replay_bytes"),
            buckets: gauge!("charter_replay_buckets"),
            closed_until: gauge!("charter_replay_closed_until_seconds"),
        }
    }

    pub(super) fn claimed(&self) {
        self.claimed.increment(1);
    }

    pub(super) fn refused(&self, refusal: &ClaimError) {
        let counter = match refusal {
            ClaimError::Replayed => &self.replayed,
            ClaimError::Forgotten => &self.forgotten,
            ClaimError::OutsideWindow => &self.outside_window,
            ClaimError::KeyQuota { .. } => &self.key_quota,
            ClaimError::Budget(_) => &self.organization_share,
            ClaimError::Full { .. } => &self.full,
            ClaimError::NotHeld(_) | ClaimError::NotGranted => &self.not_held,
            ClaimError::Closed { .. } => &self.closed,
            ClaimError::Unavailable(_) => &self.unavailable,
        };
        counter.increment(1);
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a float; beyond 2^53 its last digits do not matter"
    )]
    pub(super) fn report(&self, status: &Status) {
        self.remembered.set(status.remembered as f64);
        self.bytes.set(status.bytes as f64);
        self.buckets.set(status.buckets as f64);
        let closed_until = status.closed_until.map_or(0, |until| until.timestamp());
        self.closed_until.set(closed_until as f64);
    }
}
