//! The decision log's part of readiness.

use charter_decision_log::Status;

use super::part::ReadinessPart;

pub(super) fn part(status: Option<Status>) -> ReadinessPart {
    let Some(status) = status else {
        return ReadinessPart {
            status: "off",
            reason: None,
        };
    };
    if status.refuses {
        let reason = status.writer.last_error;
        let reason =
            reason.unwrap_or_else(|| "decisions come faster than they can be written".to_owned());
        return ReadinessPart::from(Some(reason), "unavailable");
    }
    let missed = status.missed.then(|| {
        "a file was moved, removed or cut while the service runs; a new one was started; this is reported for an hour"
            .to_owned()
    });
    let unsynced = status
        .writer
        .sync_error
        .map(|error| format!("it could not be synced: {error}"));
    let fault = status.writer.last_error.or(unsynced).or(missed);
    ReadinessPart::from(fault, "degraded")
}
