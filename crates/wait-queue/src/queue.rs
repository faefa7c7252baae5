//! The queue: permits and the order of waiters.

use std::convert::Infallible;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot::Sender;
use tokio::time::{Instant, timeout_at};

use super::capacity::Capacity;
use super::lane::{Lane, Limits};

/// While both priorities have waiters, the higher one gets three turns of four, so neither starves.
const ROUND: u8 = 4;
const TURNS_OF_NORMAL: u8 = 3;

/// Why there was no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitError<R = Infallible> {
    /// The queue is full.
    QueueFull,
    /// No permit was available before the deadline.
    TimedOut,
    /// The capacity's refusal.
    Refused(R),
}

/// Issues permits to holders. Clones share the state.
pub struct WaitQueue<H: Clone + Eq + Hash, C: Capacity = usize>(Arc<Mutex<State<H, C>>>);

/// Returned when dropped.
pub struct Permit<H: Clone + Eq + Hash, C: Capacity = usize> {
    queue: WaitQueue<H, C>,
    slot: Option<Slot<H>>,
}

type Outcome<H, C> = Result<Permit<H, C>, <C as Capacity>::Refusal>;

struct Slot<H> {
    priority: Priority,
    holder: H,
}

#[derive(Clone, Copy)]
enum Priority {
    Normal,
    Low,
}

struct State<H: Clone + Eq + Hash, C: Capacity> {
    capacity: C,
    in_use: usize,
    normal: Lane<H, Outcome<H, C>>,
    low: Lane<H, Outcome<H, C>>,
    /// Position in the round.
    turn: u8,
}

impl<H: Clone + Eq + Hash, C: Capacity> WaitQueue<H, C> {
    /// The limits apply to each priority.
    pub fn new(capacity: C, limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(State {
            capacity,
            in_use: 0,
            normal: Lane::new(limits),
            low: Lane::new(limits),
            turn: 0,
        })))
    }

    /// Waits for a permit until `deadline`.
    pub async fn acquire(
        &self,
        holder: H,
        deadline: Instant,
    ) -> Result<Permit<H, C>, WaitError<C::Refusal>> {
        self.wait(Priority::Normal, holder, deadline, false).await
    }

    /// Like [`Self::acquire`], ahead of the holder's other waiters; no turn of other holders is taken.
    pub async fn acquire_urgently(
        &self,
        holder: H,
        deadline: Instant,
    ) -> Result<Permit<H, C>, WaitError<C::Refusal>> {
        self.wait(Priority::Normal, holder, deadline, true).await
    }

    /// Like [`Self::acquire`], with low priority: one turn of four while others wait too.
    pub async fn acquire_with_low_priority(
        &self,
        holder: H,
        deadline: Instant,
    ) -> Result<Permit<H, C>, WaitError<C::Refusal>> {
        self.wait(Priority::Low, holder, deadline, false).await
    }

    /// A permit if one is available and nobody waits.
    pub fn try_acquire(&self, holder: &H) -> Result<Option<Permit<H, C>>, C::Refusal> {
        self.try_take(Priority::Normal, holder)
    }

    /// Whether there are waiters.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        let state = self.0.lock();
        state.normal.has_waiters() || state.low.has_waiters()
    }

    async fn wait(
        &self,
        priority: Priority,
        holder: H,
        deadline: Instant,
        is_urgent: bool,
    ) -> Result<Permit<H, C>, WaitError<C::Refusal>> {
        let taken = self.try_take(priority, &holder);
        if let Some(permit) = taken.map_err(WaitError::Refused)? {
            return Ok(permit);
        }
        let place = self.0.lock().lane(priority).join(holder, is_urgent);
        let place = place.ok_or(WaitError::QueueFull)?;
        // A permit may have been returned in between.
        self.serve(None);
        match timeout_at(deadline, place).await {
            Ok(Ok(outcome)) => outcome.map_err(WaitError::Refused),
            Ok(Err(_gave_way)) => Err(WaitError::QueueFull),
            Err(_elapsed) => Err(WaitError::TimedOut),
        }
    }

    fn try_take(&self, priority: Priority, holder: &H) -> Result<Option<Permit<H, C>>, C::Refusal> {
        // Capacity may have grown with time: earlier waiters come first.
        self.serve(None);
        let mut state = self.0.lock();
        let permits = state.capacity.permits()?;
        let has_room = state.in_use < permits && state.lane(priority).has_room_for(holder);
        if !has_room || state.is_ready() {
            return Ok(None);
        }
        state.in_use += 1;
        state.lane(priority).take(holder.clone());
        drop(state);
        let holder = holder.clone();
        Ok(Some(self.permit(Slot { priority, holder })))
    }

    /// Takes back a slot and serves waiters as far as permits are available.
    fn serve(&self, mut returned: Option<Slot<H>>) {
        loop {
            let next = {
                let mut state = self.0.lock();
                if let Some(slot) = returned.take() {
                    state.give_back(&slot);
                }
                state.next()
            };
            let Some((waiter, slot)) = next else { return };
            // If the waiter has just gone, the permit goes to the next.
            if let Err(Ok(mut permit)) = waiter.send(slot.map(|slot| self.permit(slot))) {
                returned = permit.slot.take();
            }
        }
    }

    fn permit(&self, slot: Slot<H>) -> Permit<H, C> {
        Permit {
            queue: self.clone(),
            slot: Some(slot),
        }
    }

    #[cfg(test)]
    pub(crate) fn holders(&self) -> usize {
        let state = self.0.lock();
        state.normal.holders() + state.low.holders()
    }
}

impl<H: Clone + Eq + Hash, C: Capacity> Permit<H, C> {
    /// Changes the capacity before the permit is returned.
    pub fn update(&self, change: impl FnOnce(&mut C)) {
        change(&mut self.queue.0.lock().capacity);
    }
}

impl<H: Clone + Eq + Hash, C: Capacity> Drop for Permit<H, C> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.queue.serve(Some(slot));
        }
    }
}

type Next<H, C> = (
    Sender<Outcome<H, C>>,
    Result<Slot<H>, <C as Capacity>::Refusal>,
);

impl<H: Clone + Eq + Hash, C: Capacity> State<H, C> {
    fn lane(&mut self, priority: Priority) -> &mut Lane<H, Outcome<H, C>> {
        match priority {
            Priority::Normal => &mut self.normal,
            Priority::Low => &mut self.low,
        }
    }

    fn is_ready(&self) -> bool {
        self.normal.is_ready() || self.low.is_ready()
    }

    fn give_back(&mut self, slot: &Slot<H>) {
        self.in_use = self.in_use.saturating_sub(1);
        self.lane(slot.priority).give_back(&slot.holder);
    }

    /// The next waiter to notify, with its permit or the capacity's refusal.
    fn next(&mut self) -> Option<Next<H, C>> {
        if !self.is_ready() {
            return None;
        }
        let refusal = match self.capacity.permits() {
            Ok(permits) if self.in_use >= permits => return None,
            Ok(_) => None,
            Err(refusal) => Some(refusal),
        };
        self.turn = (self.turn + 1) % ROUND;
        let order = if self.turn < TURNS_OF_NORMAL {
            [Priority::Normal, Priority::Low]
        } else {
            [Priority::Low, Priority::Normal]
        };
        let (slot, waiter) = order.into_iter().find_map(|priority| {
            let (holder, waiter) = self.lane(priority).next()?;
            Some((Slot { priority, holder }, waiter))
        })?;
        self.in_use += 1;
        let result = match refusal {
            None => Ok(slot),
            Some(refusal) => {
                self.give_back(&slot);
                Err(refusal)
            }
        };
        Some((waiter, result))
    }
}

impl<H: Clone + Eq + Hash, C: Capacity> Clone for WaitQueue<H, C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<H: Clone + Eq + Hash, C: Capacity> std::fmt::Debug for WaitQueue<H, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let in_use = self.0.lock().in_use;
        f.debug_struct("WaitQueue")
            .field("in_use", &in_use)
            .finish_non_exhaustive()
    }
}

impl<H: Clone + Eq + Hash, C: Capacity> std::fmt::Debug for Permit<H, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
