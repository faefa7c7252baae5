use serde::Serialize;

/// A part of readiness: its status, and why it is not `ok`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ReadinessPart {
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

impl ReadinessPart {
    /// `status` with this fault, or `ok` without one.
    pub(super) fn from(fault: Option<String>, status: &'static str) -> Self {
        match fault {
            None => Self {
                status: "ok",
                reason: None,
            },
            reason => Self { status, reason },
        }
    }
}
