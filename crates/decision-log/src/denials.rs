//! Which denials other processes are to find, too: a share for each caller, and each organization or domain.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use charter_domain::id::DecisionId;

const HOUR: Duration = Duration::from_hours(1);
/// Of one caller, who could else hide what others are denied. More are in the log's files alone.
const PER_CALLER_AND_HOUR: u32 = 200;
const PER_ORGANIZATION_AND_HOUR: u32 = 2_000;
/// That wait to be taken, of all.
const WAITING: usize = 10_000;
/// Callers, and organizations, that are counted.
const COUNTED: usize = 100_000;
/// Between two searches for hours that are over.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// Denials that wait to be taken.
#[derive(Default)]
pub(super) struct Denials {
    wanted: AtomicBool,
    kept: Mutex<Kept>,
}

/// Denials for other processes.
#[derive(Debug, Default)]
pub struct TakenDenials {
    pub ids: Vec<DecisionId>,
    /// How many others there was no room for since the last time: they are in this process's log alone.
    pub dropped: usize,
}

#[derive(Default)]
struct Kept {
    waiting: Vec<DecisionId>,
    dropped: usize,
    hasher: RandomState,
    callers: Shares,
    organizations: Shares,
}

/// By the hash of a holder: when its hour began, and how many it has had since.
#[derive(Default)]
struct Shares {
    counts: HashMap<u64, (Duration, u32)>,
    swept: Duration,
}

impl Denials {
    /// From now on they are kept.
    pub(super) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// `organization` may also be a domain of one's own, and `caller` the subject of a question to it.
    pub(super) fn note(
        &self,
        organization: &impl Hash,
        caller: &impl Hash,
        id: DecisionId,
        now: Duration,
    ) {
        if !self.wanted.load(Ordering::Relaxed) {
            return;
        }
        let kept = &mut *self.kept.lock();
        if kept.spend(organization, caller, now) {
            kept.add([id]);
        } else {
            metrics::counter!("charter_denials_unshared_total", "reason" => "share").increment(1);
        }
    }

    pub(super) fn take(&self) -> TakenDenials {
        let kept = &mut *self.kept.lock();
        TakenDenials {
            ids: std::mem::take(&mut kept.waiting),
            dropped: std::mem::take(&mut kept.dropped),
        }
    }

    /// Those that could not be handed on wait again, as far as there is room.
    pub(super) fn put_back(&self, ids: Vec<DecisionId>) {
        self.kept.lock().add(ids);
    }
}

impl Kept {
    fn add(&mut self, ids: impl IntoIterator<Item = DecisionId>) {
        let mut ids = ids.into_iter();
        let room = WAITING.saturating_sub(self.waiting.len());
        self.waiting.extend(ids.by_ref().take(room));
        let dropped = ids.count();
        self.dropped = self.dropped.saturating_add(dropped);
        metrics::counter!("charter_denials_unshared_total", "reason" => "room")
            .increment(dropped as u64);
    }

    /// Returns false if a share of this hour is spent.
    fn spend(&mut self, organization: &impl Hash, caller: &impl Hash, now: Duration) -> bool {
        let organization = self.hasher.hash_one(organization);
        let Some(of_organization) = self.organizations.count(organization, now) else {
            return false;
        };
        // First, so that who has spent it has no more callers counted.
        if *of_organization >= PER_ORGANIZATION_AND_HOUR {
            return false;
        }
        // Of callers who cannot be counted their organization is.
        let caller = self.hasher.hash_one(caller);
        if let Some(of_caller) = self.callers.count(caller, now) {
            if *of_caller >= PER_CALLER_AND_HOUR {
                return false;
            }
            *of_caller += 1;
        }
        *of_organization += 1;
        true
    }
}

impl Shares {
    /// What the holder has had in its hour; `None` if too many others are counted.
    fn count(&mut self, holder: u64, now: Duration) -> Option<&mut u32> {
        let is_over = |began: Duration| now.saturating_sub(began) >= HOUR;
        if self.counts.len() >= COUNTED && !self.counts.contains_key(&holder) {
            if now.saturating_sub(self.swept) < SWEEP_INTERVAL {
                return None;
            }
            self.swept = now;
            self.counts.retain(|_, (began, _)| !is_over(*began));
            if self.counts.len() >= COUNTED {
                return None;
            }
        }
        let (began, count) = self.counts.entry(holder).or_insert((now, 0));
        if is_over(*began) {
            (*began, *count) = (now, 0);
        }
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use charter_domain::clock::{Clock as _, SystemClock};
    use charter_domain::entropy::OsEntropy;
    use charter_domain::id::OrganizationId;

    use super::*;

    #[test]
    fn callers_and_organizations_have_a_share_of_an_hour() {
        let denials = Denials::default();
        let now = SystemClock::start().now();
        let organization = OrganizationId::generate(now, &OsEntropy);
        let note = |caller: &str, at| {
            let id = DecisionId::generate(now, &OsEntropy);
            denials.note(&organization, &caller, id, at);
        };
        note("one", HOUR);
        assert!(denials.take().ids.is_empty(), "nobody wants them");
        denials.want();
        for _ in 0..300 {
            note("one", HOUR);
        }
        note("other", HOUR);
        assert_eq!(denials.take().ids.len(), 201);
        note("one", HOUR + HOUR / 2);
        assert!(denials.take().ids.is_empty());
        note("one", HOUR * 2);
        let ids = denials.take().ids;
        assert_eq!(ids.len(), 1);
        denials.put_back(ids);
        assert_eq!(denials.take().ids.len(), 1);
        for caller in 0..3_000 {
            note(&caller.to_string(), HOUR * 4);
        }
        assert_eq!(denials.take().ids.len(), 2_000);
    }

    fn ids(count: usize) -> Vec<DecisionId> {
        let now = SystemClock::start().now();
        (0..count)
            .map(|_| DecisionId::generate(now, &OsEntropy))
            .collect()
    }

    #[test]
    fn what_has_no_room_is_counted_and_the_rest_waits() {
        let denials = Denials::default();
        let first = ids(WAITING - 10);
        denials.put_back(first.clone());
        let more = ids(100);
        denials.put_back(more.clone());
        let taken = denials.take();
        assert_eq!(taken.ids, [&first[..], &more[..10]].concat());
        assert_eq!(taken.dropped, 90);
        assert_eq!(denials.take().dropped, 0);
    }

    #[test]
    fn many_callers_give_nobody_another_share() {
        let denials = Denials::default();
        denials.want();
        let now = SystemClock::start().now();
        let note = |organization: OrganizationId, caller: &str, at: Duration| {
            let id = DecisionId::generate(now, &OsEntropy);
            denials.note(&organization, &caller, id, at);
            denials.take().ids.len()
        };
        let organization = || OrganizationId::generate(now, &OsEntropy);
        let own = organization();
        let of_one = |at| (0..300).map(|_| note(own, "one", at)).sum::<usize>();
        assert_eq!(of_one(HOUR), 200);
        // More callers than are counted.
        let many = PER_ORGANIZATION_AND_HOUR as usize;
        for group in 0..=COUNTED / many {
            let organization = organization();
            let noted = (0..many).map(|at| note(organization, &format!("{group}-{at}"), HOUR));
            assert_eq!(noted.sum::<usize>(), many);
        }
        assert_eq!(of_one(HOUR + HOUR / 2), 0);
        // Those have had their hour.
        let later = HOUR * 2;
        assert_eq!(
            (0..300).map(|_| note(own, "two", later)).sum::<usize>(),
            200
        );
    }
}
