//! Facts collected while a request is served, for its log line.

use std::sync::Arc;

use parking_lot::Mutex;

use charter_domain::caller::Caller;
use charter_domain::id::DecisionId;

/// Facts collected while a request is served; `None` if nothing needs them.
#[derive(Debug, Clone, Default)]
pub struct RequestFacts(Option<Arc<Mutex<Facts>>>);

#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) caller: Option<Caller>,
    pub(super) claimed_key: Option<String>,
    pub(super) decision: Option<DecisionId>,
}

impl RequestFacts {
    #[must_use]
    pub(super) fn new(kept: bool) -> Self {
        Self(kept.then(Arc::default))
    }

    /// The caller, once authenticated.
    pub(crate) fn note_caller(&self, caller: &Caller) {
        if let Some(facts) = &self.0 {
            facts.lock().caller = Some(caller.clone());
        }
    }

    /// The access key named in a request, before authentication.
    pub(crate) fn note_claimed_key(&self, access_key: &str) {
        if let Some(facts) = &self.0 {
            facts.lock().claimed_key = Some(access_key.to_owned());
        }
    }

    /// The last authorization decision.
    pub(crate) fn note_decision(&self, id: DecisionId) {
        if let Some(facts) = &self.0 {
            facts.lock().decision = Some(id);
        }
    }
    /// Takes the facts; nothing is left.
    pub(super) fn take(&self) -> Facts {
        let noted = self.0.as_ref();
        noted.map_or_else(Facts::default, |facts| std::mem::take(&mut *facts.lock()))
    }
}
