//! The waiters of one priority. Holders take turns; if the lane is full, the newest waiter of the holder with the
//! most is evicted.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use tokio::sync::oneshot::{self, Receiver, Sender};

/// Bounds of one lane.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Concurrent permits of one holder.
    pub per_holder: usize,
    /// Limit of waiters of all holders together.
    pub max_waiters: usize,
}

pub(crate) struct Lane<H, T> {
    limits: Limits,
    /// Holders that wait or have a permit.
    holders: HashMap<H, Holder<T>>,
    /// Holders with a waiter and less than their share of permits, in the order of their turns.
    ready: VecDeque<H>,
    waiting: usize,
}

struct Holder<T> {
    in_use: usize,
    /// Served before those that wait.
    urgent: VecDeque<Sender<T>>,
    waiting: VecDeque<Sender<T>>,
}

impl<T> Holder<T> {
    fn waiters(&self) -> usize {
        self.urgent.len() + self.waiting.len()
    }

    fn pop_first(&mut self) -> Option<Sender<T>> {
        self.urgent.pop_front().or_else(|| self.waiting.pop_front())
    }

    fn pop_newest(&mut self) -> Option<Sender<T>> {
        self.waiting.pop_back().or_else(|| self.urgent.pop_back())
    }
}

impl<H: Clone + Eq + Hash, T> Lane<H, T> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            holders: HashMap::new(),
            ready: VecDeque::new(),
            waiting: 0,
        }
    }

    pub(crate) fn has_waiters(&self) -> bool {
        self.waiting > 0
    }

    /// Whether a waiter could have a permit.
    pub(crate) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(crate) fn has_room_for(&self, holder: &H) -> bool {
        let in_use = self.holders.get(holder).map_or(0, |holder| holder.in_use);
        in_use < self.limits.per_holder
    }

    /// Counts a permit that was issued without waiting.
    pub(crate) fn take(&mut self, holder: H) {
        self.holder(holder).in_use += 1;
    }

    /// Queues a waiter behind those of its holder, an urgent one behind the urgent ones; `None` if the lane is full.
    pub(crate) fn join(&mut self, holder: H, is_urgent: bool) -> Option<Receiver<T>> {
        if self.waiting >= self.limits.max_waiters {
            self.forget_closed();
        }
        if self.waiting >= self.limits.max_waiters && !self.make_room_beside(&holder) {
            return None;
        }
        let (sender, place) = oneshot::channel();
        let per_holder = self.limits.per_holder;
        let entry = self.holder(holder.clone());
        let becomes_ready = entry.waiters() == 0 && entry.in_use < per_holder;
        if is_urgent {
            entry.urgent.push_back(sender);
        } else {
            entry.waiting.push_back(sender);
        }
        if becomes_ready {
            self.ready.push_back(holder);
        }
        self.waiting += 1;
        Some(place)
    }

    /// The next waiter; counts a permit for its holder.
    pub(crate) fn next(&mut self) -> Option<(H, Sender<T>)> {
        while let Some(holder) = self.ready.pop_front() {
            let mut next = None;
            if let Some(entry) = self.holders.get_mut(&holder) {
                while let Some(sender) = entry.pop_first() {
                    self.waiting -= 1;
                    if !sender.is_closed() {
                        entry.in_use += 1;
                        next = Some(sender);
                        break;
                    }
                }
                if entry.waiters() == 0 {
                    self.forget_if_idle(&holder);
                } else if entry.in_use < self.limits.per_holder {
                    self.ready.push_back(holder.clone());
                }
            }
            if let Some(sender) = next {
                return Some((holder, sender));
            }
        }
        None
    }

    pub(crate) fn give_back(&mut self, holder: &H) {
        let Some(entry) = self.holders.get_mut(holder) else {
            return;
        };
        let had_its_share = entry.in_use >= self.limits.per_holder;
        entry.in_use = entry.in_use.saturating_sub(1);
        if entry.waiters() == 0 {
            self.forget_if_idle(holder);
        } else if had_its_share {
            self.ready.push_back(holder.clone());
        }
    }

    #[cfg(test)]
    pub(crate) fn holders(&self) -> usize {
        self.holders.len()
    }

    fn holder(&mut self, holder: H) -> &mut Holder<T> {
        self.holders.entry(holder).or_insert_with(|| Holder {
            in_use: 0,
            urgent: VecDeque::new(),
            waiting: VecDeque::new(),
        })
    }

    fn forget_if_idle(&mut self, holder: &H) {
        let is_idle = |entry: &Holder<T>| entry.in_use == 0 && entry.waiters() == 0;
        if self.holders.get(holder).is_some_and(is_idle) {
            self.holders.remove(holder);
        }
    }

    /// Evicts the newest waiter of the holder with the most, if it has more than `holder` will have.
    fn make_room_beside(&mut self, holder: &H) -> bool {
        let own = self.holders.get(holder).map_or(0, Holder::waiters);
        let most = self.holders.values_mut().max_by_key(|it| it.waiters());
        match most {
            Some(most) if most.waiters() > own + 1 => {
                most.pop_newest();
                self.waiting -= 1;
                true
            }
            _ => false,
        }
    }

    fn forget_closed(&mut self) {
        for entry in self.holders.values_mut() {
            entry.urgent.retain(|sender| !sender.is_closed());
            entry.waiting.retain(|sender| !sender.is_closed());
        }
        self.holders
            .retain(|_, entry| entry.in_use > 0 || entry.waiters() > 0);
        let holders = &self.holders;
        self.ready.retain(|holder| {
            let entry = holders.get(holder);
            entry.is_some_and(|entry| entry.waiters() > 0)
        });
        self.waiting = holders.values().map(Holder::waiters).sum();
    }
}
