//! What the workbench needs beside the rest of the state.

use std::sync::Arc;

use charter_authn::operator_sessions::OperatorSessions;
use charter_decision_log::ShadowPolicies;
use tokio::sync::Semaphore;

use super::policy_tools::PolicyTools;

/// What the security team's workbench needs.
pub struct Workbench {
    /// The shadow policies, where there may be some.
    pub shadow: Option<Arc<ShadowPolicies>>,
    /// Works on policies in other processes.
    pub tools: Box<dyn PolicyTools>,
    /// Who may evaluate or search in this process now.
    pub turns: Arc<Semaphore>,
    /// Sessions of operators' browsers.
    pub sessions: OperatorSessions,
    /// Whether their cookie is for https only.
    pub secure_cookie: bool,
}
