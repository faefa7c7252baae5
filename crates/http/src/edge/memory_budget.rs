//! Limits memory that clients make the process hold: incomplete request bodies and unread responses. The oldest
//! holder is evicted first.
//!
//! It knows holders only, neither requests nor connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use salvo::conn::ConnCtrl;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Younger holders are not evicted.
const MIN_AGE: Duration = Duration::from_secs(1);

/// A holder of memory that can be asked to release it.
pub(crate) trait Holder {
    fn give_way(&self);
}

/// Closes the connection.
impl Holder for ConnCtrl {
    fn give_way(&self) {
        metrics::counter!("charter_http_unread_answers_total").increment(1);
        self.abort();
    }
}

/// Cancels the waiting.
impl Holder for CancellationToken {
    fn give_way(&self) {
        self.cancel();
    }
}

/// Limits the bytes of all holders of one kind.
pub(crate) struct MemoryBudget<H>(Arc<Mutex<Ledger<H>>>);

struct Ledger<H> {
    limit: usize,
    held: usize,
    next: u64,
    /// Keyed by ascending number, so the oldest comes first.
    shares: BTreeMap<u64, HeldShare<H>>,
}

struct HeldShare<H> {
    holder: H,
    bytes: usize,
    since: Instant,
    until: Option<Instant>,
    /// The holder waits for nothing any more and will release its memory soon.
    settled: bool,
}

/// Memory of one holder; released when dropped.
pub(crate) struct Share<H: Holder> {
    budget: MemoryBudget<H>,
    number: u64,
}

impl<H> std::fmt::Debug for MemoryBudget<H> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ledger = self.0.lock();
        formatter
            .debug_struct("MemoryBudget")
            .field("limit", &ledger.limit)
            .field("held", &ledger.held)
            .finish_non_exhaustive()
    }
}

impl<H> Clone for MemoryBudget<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H: Holder> MemoryBudget<H> {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Ledger {
            limit,
            held: 0,
            next: 0,
            shares: BTreeMap::new(),
        })))
    }

    pub(crate) fn limit(&self) -> usize {
        self.0.lock().limit
    }

    /// An empty share. After `until`, [`Self::end_overdue`] evicts the holder.
    pub(crate) fn open(&self, holder: H, now: Instant, until: Option<Instant>) -> Share<H> {
        let mut ledger = self.0.lock();
        let number = ledger.next;
        ledger.next += 1;
        ledger.shares.insert(
            number,
            HeldShare {
                holder,
                bytes: 0,
                since: now,
                until,
                settled: false,
            },
        );
        Share {
            budget: self.clone(),
            number,
        }
    }

    /// Whether nothing is held.
    pub(crate) fn is_unused(&self) -> bool {
        self.0.lock().shares.is_empty()
    }

    /// Evicts the holders whose time is over, and returns their number.
    pub(crate) fn end_overdue(&self, now: Instant) -> usize {
        let ledger = self.0.lock();
        let overdue = ledger
            .shares
            .values()
            .filter(|entry| entry.until.is_some_and(|until| until <= now));
        overdue.map(|entry| entry.holder.give_way()).count()
    }
}

impl<H: Holder> Share<H> {
    /// Marks that the holder waits for no client any more; it is then not evicted.
    pub(crate) fn settle(&self) {
        if let Some(entry) = self.budget.0.lock().shares.get_mut(&self.number) {
            entry.settled = true;
        }
    }

    /// Adds bytes to the share; false if there is no room. From three quarters on the oldest holder is evicted, so
    /// that there is room before it is needed.
    pub(crate) fn grow(&self, bytes: usize, now: Instant) -> bool {
        let mut ledger = self.budget.0.lock();
        let wanted = ledger.held.saturating_add(bytes);
        if wanted > ledger.limit - ledger.limit / 4 {
            ledger.make_room(self.number, now);
        }
        if wanted > ledger.limit {
            return false;
        }
        ledger.held = wanted;
        if let Some(entry) = ledger.shares.get_mut(&self.number) {
            entry.bytes += bytes;
        }
        true
    }
}

impl<H: Holder> Ledger<H> {
    /// Evicts one holder at a time.
    fn make_room(&self, asking: u64, now: Instant) {
        let oldest = self
            .shares
            .iter()
            .find(|(number, entry)| entry.bytes > 0 && !entry.settled && **number != asking)
            .filter(|(_, entry)| now.duration_since(entry.since) >= MIN_AGE);
        if let Some((_, entry)) = oldest {
            entry.holder.give_way();
        }
    }
}

impl<H: Holder> Drop for Share<H> {
    fn drop(&mut self) {
        let mut ledger = self.budget.0.lock();
        if let Some(entry) = ledger.shares.remove(&self.number) {
            ledger.held -= entry.bytes;
            // Evicting may run the holder's destructor, so not under the lock.
            drop(ledger);
            drop(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(
        budget: &MemoryBudget<CancellationToken>,
        now: Instant,
    ) -> (CancellationToken, Share<CancellationToken>) {
        let token = CancellationToken::new();
        (token.clone(), budget.open(token, now, None))
    }

    #[test]
    fn memory_is_limited_and_freed_by_a_drop() {
        let (budget, now) = (MemoryBudget::new(100), Instant::now());
        let (_, first) = share(&budget, now);
        let (_, second) = share(&budget, now);
        assert!(first.grow(60, now) && second.grow(40, now));
        assert!(!second.grow(1, now) && !first.grow(usize::MAX, now));
        drop(first);
        assert!(second.grow(60, now));
        assert!(!second.grow(1, now));
        drop(second);
        assert!(budget.is_unused());
        assert_eq!(budget.0.lock().held, 0);
    }

    #[test]
    fn the_longest_holder_of_memory_gives_way() {
        let (budget, start) = (MemoryBudget::new(100), Instant::now());
        let (idle_token, _idle) = share(&budget, start);
        let (settled_token, settled) = share(&budget, start);
        let (oldest_token, oldest) = share(&budget, start);
        assert!(settled.grow(10, start) && oldest.grow(60, start));
        settled.settle();
        let (young_token, young) = share(&budget, start);
        assert!(young.grow(10, start));
        assert!(!oldest_token.is_cancelled(), "it has only just come");
        let later = start + MIN_AGE;
        let (_, newest) = share(&budget, later);
        assert!(newest.grow(1, later));
        assert!(oldest_token.is_cancelled());
        for token in [young_token, idle_token, settled_token] {
            assert!(!token.is_cancelled());
        }
    }

    #[test]
    fn an_overdue_connection_gives_way() {
        let (budget, now) = (MemoryBudget::new(100), Instant::now());
        let token = CancellationToken::new();
        let until = now + Duration::from_secs(30);
        let _share = budget.open(token.clone(), now, Some(until));
        assert_eq!(budget.end_overdue(now), 0);
        assert!(!token.is_cancelled());
        assert_eq!(budget.end_overdue(until), 1);
        assert!(token.is_cancelled());
    }
}
