//! Order of permits, and which waiters are evicted.

use std::pin::Pin;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::*;

type Waiting = Pin<Box<dyn Future<Output = Result<Permit<u8>, WaitError>>>>;

/// One permit and so many waiters.
fn queue(max_waiters: usize) -> WaitQueue<u8> {
    let per_holder = usize::MAX;
    let limits = Limits {
        per_holder,
        max_waiters,
    };
    WaitQueue::new(1, limits)
}

fn later() -> Instant {
    Instant::now() + std::time::Duration::from_hours(1)
}

/// A waiter, queued by its first poll.
fn in_line(queue: &WaitQueue<u8>, holder: u8) -> Waiting {
    let queue = queue.clone();
    polled(Box::pin(
        async move { queue.acquire(holder, later()).await },
    ))
}

fn in_low_line(queue: &WaitQueue<u8>, holder: u8) -> Waiting {
    let queue = queue.clone();
    polled(Box::pin(async move {
        queue.acquire_with_low_priority(holder, later()).await
    }))
}

fn polled(mut waiting: Waiting) -> Waiting {
    assert!(waiting.as_mut().now_or_never().is_none(), "it has a permit");
    waiting
}

/// The result of a waiter that was notified.
fn outcome(waiting: &mut Option<Waiting>) -> Result<Permit<u8>, WaitError> {
    let result = waiting.take().and_then(FutureExt::now_or_never);
    result.expect("it was notified")
}

/// The order in which the waiters get the one permit, as indexes into `waiting`.
fn order(held: Permit<u8>, mut waiting: Vec<Option<Waiting>>) -> Vec<usize> {
    let (mut held, mut order) = (vec![held], Vec::new());
    while waiting.iter().any(Option::is_some) {
        held.clear();
        for (at, place) in waiting.iter_mut().enumerate() {
            let permit = place.as_mut().and_then(FutureExt::now_or_never);
            if let Some(permit) = permit {
                assert!(held.is_empty(), "two at once");
                held.push(permit.expect("a permit"));
                order.push(at);
                *place = None;
            }
        }
        assert_eq!(held.len(), 1, "nobody has the permit");
    }
    order
}

#[tokio::test]
async fn a_flood_of_low_priority_keeps_nobody_waiting_and_has_one_turn_of_four() {
    let queue = queue(64);
    let held = queue.acquire(0, later()).await.expect("free");
    let low = (0..16).map(|n| Some(in_low_line(&queue, n)));
    let mut waiting: Vec<_> = low.collect();
    waiting.extend((0..16).map(|n| Some(in_line(&queue, n))));
    let order = order(held, waiting);
    assert_eq!(order.len(), 32);
    for round in order.chunks(4).take(5) {
        let low = round.iter().filter(|at| **at < 16).count();
        assert_eq!(low, 1, "{order:?}");
    }
    assert!(!queue.has_waiters());
}

#[tokio::test]
async fn turns_go_round_the_holders_and_the_largest_crowd_gives_way() {
    let queue = queue(8);
    let held = queue.acquire(0, later()).await.expect("free");
    let mut waiting: Vec<_> = (0..8).map(|_| Some(in_line(&queue, 1))).collect();
    let full = Some(WaitError::QueueFull);
    assert_eq!(queue.acquire(1, later()).await.err(), full);
    for n in 2..6 {
        waiting.push(Some(in_line(&queue, n)));
    }
    for newest in waiting.iter_mut().take(8).skip(4) {
        assert_eq!(outcome(newest).err(), full);
    }
    // A holder with as many waiters as the others cannot evict theirs.
    for (n, newest) in [(6, 3), (7, 2)] {
        waiting.push(Some(in_line(&queue, n)));
        assert_eq!(outcome(&mut waiting[newest]).err(), full);
    }
    assert_eq!(queue.acquire(2, later()).await.err(), full);
    assert_eq!(order(held, waiting), [0, 8, 9, 10, 11, 12, 13, 1]);
}

#[tokio::test]
async fn a_waiter_that_gives_up_passes_its_turn_on() {
    let queue = queue(1);
    let held = queue.acquire(0, later()).await.expect("free");
    let gone = in_line(&queue, 1);
    assert_eq!(
        queue.acquire(1, later()).await.err(),
        Some(WaitError::QueueFull)
    );
    drop(gone);
    drop(in_line(&queue, 2));
    let mut stays = Some(in_line(&queue, 1));
    drop(held);
    drop(outcome(&mut stays).expect("a permit"));
    // It was given a permit but never polled.
    let held = queue.acquire(0, later()).await.expect("free again");
    let deaf = in_line(&queue, 1);
    drop(held);
    drop(deaf);
    drop(queue.acquire(3, later()).await.expect("free again"));
    assert_eq!(queue.holders(), 0);
}

#[tokio::test]
async fn a_holder_has_its_share_and_nothing_is_left_behind() {
    let limits = Limits {
        per_holder: 2,
        max_waiters: 64,
    };
    let queue = WaitQueue::new(usize::MAX, limits);
    let first = queue.acquire(1, later()).await.expect("a permit");
    let second = queue.acquire(1, later()).await.expect("a permit");
    let late = queue.acquire(1, Instant::now()).await;
    assert_eq!(late.err(), Some(WaitError::TimedOut));
    queue.acquire(2, later()).await.expect("another's permit");
    let (waited, ()) = tokio::join!(queue.acquire(1, later()), async { drop(first) });
    assert!(queue.try_acquire(&1).expect("no refusal").is_none());
    assert_eq!(queue.holders(), 1);
    drop((waited.expect("a permit"), second));
    assert_eq!(queue.holders(), 0);
}

/// Remaining permits; with none, waiters are refused.
struct Tries(usize);

impl Capacity for Tries {
    type Refusal = &'static str;

    fn permits(&mut self) -> Result<usize, &'static str> {
        if self.0 == 0 {
            Err("none left")
        } else {
            Ok(self.0)
        }
    }
}

#[tokio::test]
async fn a_capacity_shrinks_while_others_wait_and_refuses_them() {
    let limits = Limits {
        per_holder: usize::MAX,
        max_waiters: 64,
    };
    let queue = WaitQueue::new(Tries(2), limits);
    let acquire = || Box::pin(queue.acquire((), later()));
    let (first, second) = (acquire().await.expect("one"), acquire().await.expect("two"));
    let mut waiting = [acquire(), acquire()];
    for waiter in &mut waiting {
        assert!(waiter.now_or_never().is_none());
    }
    first.update(|tries| tries.0 = 1);
    drop(first);
    for waiter in &mut waiting {
        assert!(waiter.now_or_never().is_none(), "the second has it");
    }
    second.update(|tries| tries.0 = 0);
    drop(second);
    for waiter in waiting {
        assert_eq!(waiter.await.err(), Some(WaitError::Refused("none left")));
    }
    assert_eq!(queue.try_acquire(&()).err(), Some("none left"));
}

#[tokio::test]
async fn an_urgent_waiter_passes_its_own_holders_others_and_nobody_elses() {
    let queue = queue(8);
    let held = queue.acquire(0, later()).await.expect("free");
    let mut waiting: Vec<_> = (0..3).map(|_| Some(in_line(&queue, 1))).collect();
    waiting.push(Some(in_line(&queue, 2)));
    for _ in 0..2 {
        let queue = queue.clone();
        waiting.push(Some(polled(Box::pin(async move {
            queue.acquire_urgently(1, later()).await
        }))));
    }
    assert_eq!(order(held, waiting), [4, 3, 5, 0, 1, 2]);
    assert_eq!(queue.holders(), 0);
}
