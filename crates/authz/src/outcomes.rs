//! Decisions about a caller's own organization, kept beside the records that they were computed from
//! (ADR 0026). They die with these, and with the snapshot.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::decision::Decision;
use super::facts_read::FactsRead;
use super::question::Question;
use super::resource::Resource;
use charter_domain::permission::Permission;

/// The latest decision for each permission.
pub(super) struct Outcomes(Box<[ArcSwapOption<Kept>]>);

struct Kept {
    /// Of the request, where a policy reads it.
    source_ip: Option<IpAddr>,
    decision: Arc<Decision>,
}

impl Default for Outcomes {
    fn default() -> Self {
        let none = Permission::ALL.iter().map(|_| ArcSwapOption::empty());
        Self(none.collect())
    }
}

impl Clone for Outcomes {
    /// Nothing is taken over.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl std::fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outcomes").finish_non_exhaustive()
    }
}

impl Outcomes {
    /// The decision of an equal question that was asked of the same snapshot.
    pub(super) fn get(&self, question: &Question<'_>) -> Option<Arc<Decision>> {
        let kept = self.slot(question)?.load();
        let kept = kept.as_ref()?;
        let is_equal = kept
            .source_ip
            .is_none_or(|source_ip| source_ip == question.source_ip);
        is_equal.then(|| Arc::clone(&kept.decision))
    }

    /// Keeps a decision, unless it depends on the time or a policy failed: that is told each time.
    pub(super) fn keep(&self, question: &Question<'_>, decision: &Arc<Decision>, reads: FactsRead) {
        if reads.now || !decision.errors.is_empty() {
            return;
        }
        if let Some(slot) = self.slot(question) {
            slot.store(Some(Arc::new(Kept {
                source_ip: reads.source_ip.then_some(question.source_ip),
                decision: Arc::clone(decision),
            })));
        }
    }

    /// `None` for what is not the caller's organization as its own records have it.
    fn slot(&self, question: &Question<'_>) -> Option<&ArcSwapOption<Kept>> {
        let own = question.principal.caller().organization();
        match question.resource {
            Resource::Organization(organization) if std::ptr::eq(organization, own) => {
                self.0.get(question.permission.index())
            }
            _ => None,
        }
    }
}
