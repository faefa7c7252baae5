//! What is learnt about a request while it is served, for its line in the log.

use std::sync::Arc;

use parking_lot::Mutex;

use charter_domain::caller::Caller;
use charter_domain::id::DecisionId;

/// What is learnt about a request while it is served; kept only where somebody wants to know.
#[derive(Debug, Clone, Default)]
pub struct RequestFacts(Option<Arc<Mutex<Facts>>>);

#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) caller: Option<Caller>,
    pub(super) claimed_key: Option<String>,
    pub(super) decision: Option<DecisionId>,
}

impl RequestFacts {
    /// Kept, or forgotten at once.
    #[must_use]
    pub(super) fn new(kept: bool) -> Self {
        Self(kept.then(Arc::default))
    }

    /// Who asks, once credentials have proved it.
    pub(crate) fn note_caller(&self, caller: &Caller) {
        if let Some(facts) = &self.0 {
            facts.lock().caller = Some(caller.clone());
        }
    }

    /// The access key that a request names, before anything is proved.
    pub(crate) fn note_claimed_key(&self, access_key: &str) {
        if let Some(facts) = &self.0 {
            facts.lock().claimed_key = Some(access_key.to_owned());
        }
    }

    /// The last decision of policy.
    pub(crate) fn note_decision(&self, id: DecisionId) {
        if let Some(facts) = &self.0 {
            facts.lock().decision = Some(id);
        }
    }
    /// What was noted; nothing of it is left.
    pub(super) fn take(&self) -> Facts {
        let noted = self.0.as_ref();
        noted.map_or_else(Facts::default, |facts| std::mem::take(&mut *facts.lock()))
    }
}
