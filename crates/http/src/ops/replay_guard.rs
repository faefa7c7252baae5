//! The replay guard's part of readiness.

use charter_authn::nonces::Status;
use charter_domain::timestamp::{self, Timestamp};

use super::part::ReadinessPart;

/// From this fill level on, in percent, the guard is degraded.
const NEARLY_FULL: u128 = 80;

pub(super) fn part(status: &Status) -> ReadinessPart {
    if let Some(fault) = status.not_held.as_ref().or(status.last_error.as_ref()) {
        return ReadinessPart::from(Some(fault.clone()), "unavailable");
    }
    let shown = |at: Timestamp| timestamp::format(at);
    if let Some(until) = status.closed_until {
        let why = if status.clock_was_set_back {
            "the clock was set back, and nonces of this time are forgotten"
        } else {
            "may have forgotten nonces"
        };
        let fault = format!("{why}: requests dated before {} are refused", shown(until));
        return ReadinessPart::from(Some(fault), "unavailable");
    }
    let mut reasons = Vec::new();
    if status.remembered as u128 * 100 >= status.total as u128 * NEARLY_FULL {
        reasons.push(format!(
            "{} of {} nonces are remembered, see `replay.total`",
            status.remembered, status.total
        ));
    }
    reasons.extend(status.near.iter().map(|near| {
        format!(
            "{} has used {} % of its share of nonces, see `budgets.nonces_percent`",
            near.organization,
            near.percent()
        )
    }));
    reasons.extend(status.lost_until.map(|until| {
        format!(
            "files of the replay journal were moved, removed or cut while the service runs: after a restart \
             requests dated before {} may be refused",
            shown(until)
        )
    }));
    reasons.extend(status.forgotten_ahead.map(|(from, until)| {
        format!(
            "the clock was ahead: requests dated from {} until {} will be refused",
            shown(from),
            shown(until)
        )
    }));
    let reasons = (!reasons.is_empty()).then(|| reasons.join("; "));
    ReadinessPart::from(reasons, "degraded")
}
