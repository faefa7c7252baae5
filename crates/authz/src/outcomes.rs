//! Caches decisions about a caller's own organization next to the records that they depend on (ADR 0026). The
//! cache is dropped with the records and the policy snapshot.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::decision::Decision;
use super::facts_read::FactsRead;
use charter_domain::permission::Permission;

/// The latest decision for each permission.
pub(super) struct Outcomes(Box<[ArcSwapOption<Kept>]>);

struct Kept {
    /// The request's address, if a policy reads it.
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
    /// The clone starts empty.
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
    /// The decision of an equal question under the same snapshot.
    pub(super) fn get(&self, permission: Permission, source_ip: IpAddr) -> Option<Arc<Decision>> {
        let kept = self.0.get(permission.index())?.load();
        let kept = kept.as_ref()?;
        let is_equal = kept.source_ip.is_none_or(|kept| kept == source_ip);
        is_equal.then(|| Arc::clone(&kept.decision))
    }

    /// Caches a decision, unless it depends on the time or a policy failed, which must be reported each time.
    /// Whether it was kept is the answer.
    pub(super) fn keep(
        &self,
        decision: &Arc<Decision>,
        source_ip: IpAddr,
        reads: FactsRead,
    ) -> bool {
        if reads.now || !decision.errors.is_empty() {
            return false;
        }
        if let Some(slot) = self.0.get(decision.permission.index()) {
            slot.store(Some(Arc::new(Kept {
                source_ip: reads.source_ip.then_some(source_ip),
                decision: Arc::clone(decision),
            })));
        }
        true
    }
}
