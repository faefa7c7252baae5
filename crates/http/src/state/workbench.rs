//! The state of the security team's workbench.

use std::sync::Arc;

use charter_authn::operator_sessions::OperatorSessions;
use charter_decision_log::{ShadowDomain, ShadowPolicies};

use super::policy_tools::PolicyTools;
use super::turns::Turns;

pub struct Workbench {
    /// The shadow policies, if configured.
    pub shadow: Option<Arc<ShadowPolicies>>,
    /// Runs work on policies in child processes.
    pub tools: Box<dyn PolicyTools>,
    /// Limits concurrent evaluations and searches of this process.
    pub turns: Turns,
    /// Sessions of operators' browsers.
    pub sessions: OperatorSessions,
    /// Whether their cookie is restricted to https.
    pub secure_cookie: bool,
}

impl Workbench {
    /// The shadow of a domain of one's own, if there is one.
    #[must_use]
    pub fn shadow_of(&self, domain: &str) -> Option<ShadowDomain> {
        self.shadow.as_ref()?.domain(domain)
    }
}
