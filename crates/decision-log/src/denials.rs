//! Which denials other processes are to find, too: a share for each caller and each organization.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use charter_domain::id::{DecisionId, OrganizationId};

const HOUR: Duration = Duration::from_hours(1);
/// Of one caller, who could else hide what others are denied. More are in the log's files alone.
const PER_CALLER_AND_HOUR: u32 = 200;
const PER_ORGANIZATION_AND_HOUR: u32 = 2_000;
/// That wait to be taken, of all.
const WAITING: usize = 10_000;
/// Callers and organizations that are counted. Beyond it all begin anew.
const COUNTED: usize = 100_000;

/// Denials that wait to be taken.
#[derive(Default)]
pub(super) struct Denials {
    wanted: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    waiting: Vec<DecisionId>,
    /// By the id of a caller or an organization: when its hour began, and how many it has had since.
    shares: HashMap<String, (Duration, u32)>,
}

impl Denials {
    /// From now on they are kept.
    pub(super) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    pub(super) fn note(
        &self,
        organization: OrganizationId,
        caller: &str,
        id: DecisionId,
        now: Duration,
    ) {
        if !self.wanted.load(Ordering::Relaxed) {
            return;
        }
        let kept = &mut *self.kept.lock();
        if kept.shares.len() >= COUNTED {
            kept.shares.clear();
        }
        let has_share = kept.spend(caller.to_owned(), PER_CALLER_AND_HOUR, now)
            && kept.spend(organization.to_string(), PER_ORGANIZATION_AND_HOUR, now);
        if has_share && kept.waiting.len() < WAITING {
            kept.waiting.push(id);
        }
    }

    pub(super) fn take(&self) -> Vec<DecisionId> {
        std::mem::take(&mut self.kept.lock().waiting)
    }

    /// Those that could not be handed on wait again.
    pub(super) fn put_back(&self, ids: Vec<DecisionId>) {
        let waiting = &mut self.kept.lock().waiting;
        if waiting.len().saturating_add(ids.len()) <= WAITING {
            waiting.extend(ids);
        }
    }
}

impl Kept {
    /// Returns false if the share of this hour is spent.
    fn spend(&mut self, holder: String, share: u32, now: Duration) -> bool {
        let (began, count) = self.shares.entry(holder).or_insert((now, 0));
        if now.saturating_sub(*began) >= HOUR {
            (*began, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= share
    }
}

#[cfg(test)]
mod tests {
    use charter_domain::clock::{Clock as _, SystemClock};
    use charter_domain::entropy::OsEntropy;

    use super::*;

    #[test]
    fn callers_and_organizations_have_a_share_of_an_hour() {
        let denials = Denials::default();
        let now = SystemClock::start().now();
        let organization = OrganizationId::generate(now, &OsEntropy);
        let note = |caller: &str, at| {
            let id = DecisionId::generate(now, &OsEntropy);
            denials.note(organization, caller, id, at);
        };
        note("one", HOUR);
        assert!(denials.take().is_empty(), "nobody wants them");
        denials.want();
        for _ in 0..300 {
            note("one", HOUR);
        }
        note("other", HOUR);
        assert_eq!(denials.take().len(), 201);
        note("one", HOUR + HOUR / 2);
        assert!(denials.take().is_empty());
        note("one", HOUR * 2);
        let ids = denials.take();
        assert_eq!(ids.len(), 1);
        denials.put_back(ids);
        assert_eq!(denials.take().len(), 1);
        for caller in 0..3_000 {
            note(&caller.to_string(), HOUR * 4);
        }
        assert_eq!(denials.take().len(), 2_000);
    }
}
