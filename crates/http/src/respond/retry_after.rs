use std::time::Duration;

/// At least one second, so that clients do not retry at once.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    let rounded_up = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    rounded_up.max(1)
}
