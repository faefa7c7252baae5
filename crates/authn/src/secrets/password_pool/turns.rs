//! Whose turn it is to hash. Known clients and strangers wait in two lines, and while both wait known
//! ones have three turns of four: no flood of strangers makes them wait, and they do not starve
//! strangers either. Within a line turns go round the clients or sites; where it is full, the newest
//! of whoever has most places in it gives way.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Of four turns, those that known clients have while strangers wait too.
const TURNS_OF_KNOWN: u8 = 3;
const ROUND: u8 = 4;

/// Who waits for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Waiter {
    /// Somebody with a device cookie, an access token or a link, by what tells them apart.
    Known([u8; 16]),
    /// Anybody, by the site it comes from.
    AnonymousClient(IpNet),
}

/// There is no place in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueueFull;

/// Turns, so many at a time.
pub(super) struct Turns(Mutex<State>);

struct State {
    free: usize,
    known: Line<[u8; 16]>,
    strangers: Line<IpNet>,
    /// Where the round of four is.
    round: u8,
}

/// One turn. Dropped, it is the next one's.
pub(super) struct Turn(Option<Arc<Turns>>);

impl Turns {
    /// `at_once` turns at a time; each of the two lines has so many places.
    pub(super) fn new(at_once: usize, places: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            free: at_once,
            known: Line::new(places),
            strangers: Line::new(places),
            round: 0,
        })))
    }

    /// Waits for a turn. Whoever gives up waiting leaves the line.
    pub(super) async fn wait(self: &Arc<Self>, waiter: Waiter) -> Result<Turn, QueueFull> {
        let turn = {
            let mut state = self.0.lock();
            if state.free > 0 {
                state.free -= 1;
                return Ok(Turn(Some(Arc::clone(self))));
            }
            match waiter {
                Waiter::Known(key) => state.known.join(key),
                Waiter::AnonymousClient(site) => state.strangers.join(site),
            }?
        };
        // Without a turn it had to give way to others.
        turn.await.map_err(|_| QueueFull)
    }

    /// Whether anybody waits.
    pub(super) fn is_crowded(&self) -> bool {
        let state = self.0.lock();
        !state.known.is_empty() || !state.strangers.is_empty()
    }

    fn pass_on(self: Arc<Self>) {
        let mut turn = Turn(Some(Arc::clone(&self)));
        loop {
            let next = {
                let mut state = self.0.lock();
                let Some(next) = state.next() else {
                    state.free += 1;
                    turn.0 = None;
                    return;
                };
                next
            };
            match next.send(turn) {
                Ok(()) => return,
                // It has gone.
                Err(back) => turn = back,
            }
        }
    }
}

impl State {
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        self.round = (self.round + 1) % ROUND;
        if self.round < TURNS_OF_KNOWN {
            self.known.next().or_else(|| self.strangers.next())
        } else {
            self.strangers.next().or_else(|| self.known.next())
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass_on();
        }
    }
}

/// Those who wait, one of each key after the other.
struct Line<K> {
    waiting: HashMap<K, VecDeque<oneshot::Sender<Turn>>>,
    order: VecDeque<K>,
    length: usize,
    places: usize,
}

impl<K: Copy + Eq + Hash> Line<K> {
    fn new(places: usize) -> Self {
        Self {
            waiting: HashMap::new(),
            order: VecDeque::new(),
            length: 0,
            places,
        }
    }

    fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn join(&mut self, key: K) -> Result<oneshot::Receiver<Turn>, QueueFull> {
        if self.length >= self.places {
            self.forget_who_has_gone();
        }
        let of_key = self.waiting.get(&key).map_or(0, VecDeque::len);
        if self.length >= self.places {
            self.make_room_beside(of_key)?;
        }
        let (turn, place) = oneshot::channel();
        if of_key == 0 {
            self.order.push_back(key);
        }
        self.waiting.entry(key).or_default().push_back(turn);
        self.length += 1;
        Ok(place)
    }

    /// Sends the newest away of the key that has most places, if it has more than `of_key` will have.
    fn make_room_beside(&mut self, of_key: usize) -> Result<(), QueueFull> {
        let most = self.waiting.values_mut().max_by_key(|of_key| of_key.len());
        match most {
            Some(most) if most.len() > of_key + 1 => {
                most.pop_back();
                self.length -= 1;
                Ok(())
            }
            _ => Err(QueueFull),
        }
    }

    /// The next of the key whose turn it is; the key goes to the end.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        while let Some(key) = self.order.pop_front() {
            let Some(of_key) = self.waiting.get_mut(&key) else {
                continue;
            };
            let next = loop {
                match of_key.pop_front() {
                    Some(turn) => {
                        self.length -= 1;
                        if !turn.is_closed() {
                            break Some(turn);
                        }
                    }
                    None => break None,
                }
            };
            if of_key.is_empty() {
                self.waiting.remove(&key);
            } else {
                self.order.push_back(key);
            }
            if next.is_some() {
                return next;
            }
        }
        None
    }

    fn forget_who_has_gone(&mut self) {
        for of_key in self.waiting.values_mut() {
            of_key.retain(|turn| !turn.is_closed());
        }
        self.waiting.retain(|_, of_key| !of_key.is_empty());
        let waiting = &self.waiting;
        self.order.retain(|key| waiting.contains_key(key));
        self.length = self.waiting.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;

    use futures_util::FutureExt;

    use super::*;

    fn site(n: u8) -> Waiter {
        let ip = std::net::IpAddr::from([198, 51, n, 0]);
        Waiter::AnonymousClient(IpNet::new(ip, 24).expect("a network"))
    }

    fn known(n: u8) -> Waiter {
        Waiter::Known([n; 16])
    }

    type Waiting = Pin<Box<dyn Future<Output = Result<Turn, QueueFull>>>>;

    /// In line, as its first poll puts it.
    fn in_line(turns: &Arc<Turns>, waiter: Waiter) -> Waiting {
        let turns = Arc::clone(turns);
        let mut waiting: Waiting = Box::pin(async move { turns.wait(waiter).await });
        assert!(waiting.as_mut().now_or_never().is_none(), "it has a turn");
        waiting
    }

    /// In which order they have their turns, one at a time, by their places in `waiting`.
    fn order(held: Turn, mut waiting: Vec<Option<Waiting>>) -> Vec<usize> {
        let (mut held, mut order) = (vec![held], Vec::new());
        while waiting.iter().any(Option::is_some) {
            held.clear();
            for (at, place) in waiting.iter_mut().enumerate() {
                let turn = place.as_mut().and_then(FutureExt::now_or_never);
                if let Some(turn) = turn {
                    assert!(held.is_empty(), "two at once");
                    held.push(turn.expect("a turn"));
                    order.push(at);
                    *place = None;
                }
            }
            assert_eq!(held.len(), 1, "nobody has the turn");
        }
        order
    }

    #[tokio::test]
    async fn a_flood_of_strangers_makes_nobody_known_wait() {
        let turns = Turns::new(1, 64);
        let held = turns.wait(site(0)).await.expect("free");
        let strangers = (0..16).map(|n| in_line(&turns, site(n)));
        let mut waiting: Vec<_> = strangers.map(Some).collect();
        waiting.extend((0..3).map(|n| Some(in_line(&turns, known(n)))));
        let order = order(held, waiting);
        let last = order.iter().position(|at| *at == 18).expect("it is there");
        assert!(last <= 3, "{order:?}");
        assert_eq!(order.len(), 19);
        assert!(!turns.is_crowded());
    }

    #[tokio::test]
    async fn strangers_have_one_turn_of_four() {
        let turns = Turns::new(1, 64);
        let held = turns.wait(known(0)).await.expect("free");
        let mut waiting: Vec<_> = (0..16).map(|n| Some(in_line(&turns, known(n)))).collect();
        waiting.push(Some(in_line(&turns, site(1))));
        let order = order(held, waiting);
        let stranger = order.iter().position(|at| *at == 16).expect("it is there");
        assert!(stranger <= 3, "{order:?}");
    }

    #[tokio::test]
    async fn a_crowded_site_gives_way_to_others() {
        let turns = Turns::new(1, 8);
        let held = turns.wait(site(0)).await.expect("free");
        let mut waiting: Vec<_> = (0..8).map(|_| Some(in_line(&turns, site(1)))).collect();
        assert_eq!(turns.wait(site(1)).await.err(), Some(QueueFull));
        for n in 2..6 {
            waiting.push(Some(in_line(&turns, site(n))));
        }
        for newest in waiting.iter_mut().take(8).skip(4) {
            let newest = newest.take().and_then(FutureExt::now_or_never);
            assert_eq!(newest.expect("an answer").err(), Some(QueueFull));
        }
        // Whoever has as many places as the others has no claim to theirs.
        for (n, newest) in [(6, 3), (7, 2)] {
            waiting.push(Some(in_line(&turns, site(n))));
            let newest = waiting[newest].take().and_then(FutureExt::now_or_never);
            assert_eq!(newest.expect("an answer").err(), Some(QueueFull));
        }
        assert_eq!(turns.wait(site(2)).await.err(), Some(QueueFull));
        assert_eq!(order(held, waiting), [0, 8, 9, 10, 11, 12, 13, 1]);
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_line() {
        let turns = Turns::new(1, 1);
        let held = turns.wait(site(0)).await.expect("free");
        let gone = in_line(&turns, site(1));
        assert_eq!(turns.wait(site(1)).await.err(), Some(QueueFull));
        drop(gone);
        drop(in_line(&turns, site(2)));
        let stays = in_line(&turns, site(1));
        drop(held);
        let turn = stays.now_or_never().expect("its turn").expect("a turn");
        drop(turn);
        drop(turns.wait(site(3)).await.expect("free again"));
    }
}
