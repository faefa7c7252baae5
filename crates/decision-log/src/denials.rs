//! Which denials other processes are to find, too: a share for each organization.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use charter_domain::id::{DecisionId, OrganizationId};

const HOUR: Duration = Duration::from_hours(1);
/// Of one organization. More are in the log's files alone.
const PER_HOUR: u32 = 200;
/// That wait to be taken, of all.
const WAITING: usize = 10_000;
/// Organizations that are counted. Beyond it all begin anew.
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
    /// When an organization's hour began, and how many it has had since.
    shares: HashMap<OrganizationId, (Duration, u32)>,
}

impl Denials {
    /// From now on they are kept.
    pub(super) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    pub(super) fn note(&self, organization: OrganizationId, id: DecisionId, now: Duration) {
        if !self.wanted.load(Ordering::Relaxed) {
            return;
        }
        let Kept { waiting, shares } = &mut *self.kept.lock();
        if shares.len() >= COUNTED {
            shares.clear();
        }
        let (began, count) = shares.entry(organization).or_insert((now, 0));
        if now.saturating_sub(*began) >= HOUR {
            (*began, *count) = (now, 0);
        }
        if *count < PER_HOUR && waiting.len() < WAITING {
            *count = count.saturating_add(1);
            waiting.push(id);
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

#[cfg(test)]
mod tests {
    use charter_domain::clock::{Clock as _, SystemClock};
    use charter_domain::entropy::OsEntropy;

    use super::*;

    #[test]
    fn each_organization_has_a_share_of_an_hour() {
        let denials = Denials::default();
        let now = SystemClock::start().now();
        let [one, other] = [(); 2].map(|()| OrganizationId::generate(now, &OsEntropy));
        let note = |of, at| denials.note(of, DecisionId::generate(now, &OsEntropy), at);
        note(one, HOUR);
        assert!(denials.take().is_empty(), "nobody wants them");
        denials.want();
        for _ in 0..300 {
            note(one, HOUR);
        }
        note(other, HOUR);
        assert_eq!(denials.take().len(), 201);
        note(one, HOUR + HOUR / 2);
        assert!(denials.take().is_empty());
        note(one, HOUR * 2);
        let ids = denials.take();
        assert_eq!(ids.len(), 1);
        denials.put_back(ids);
        assert_eq!(denials.take().len(), 1);
    }
}
