//! Spreads work over a few threads, each with a solver process of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::asker::STACK_BYTES;
use super::{Budget, Reason, Session};

/// What became of the work.
pub(crate) struct Spread<T> {
    /// In the order of the work.
    pub(crate) results: Vec<T>,
    /// How many claims needed the solver.
    pub(crate) questions: usize,
}

/// Does `count` pieces of work.
///
/// # Errors
///
/// A thread could not be started, or broke down: then nothing is known about its work.
pub(crate) fn spread<T: Send>(
    budget: &Budget<'_>,
    count: usize,
    work: impl Fn(&mut Session<'_>, usize) -> T + Sync,
) -> Result<Spread<T>, Reason> {
    let next = AtomicUsize::new(0);
    let progress = budget.progress();
    progress.expect(count as u64);
    let one = || {
        let mut session = Session::new(*budget);
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return (done, session.questions);
            }
            done.push((index, work(&mut session, index)));
            progress.advance(1);
        }
    };
    let workers = budget.workers().clamp(1, count.max(1));
    let parts = thread::scope(|scope| {
        let running: Vec<_> = (0..workers)
            .map(|_| {
                thread::Builder::new()
                    .name("proofs".to_owned())
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, one)
                    .map_err(|error| Reason::unfinished(format!("cannot start a thread: {error}")))
            })
            .collect();
        let parts: Vec<Result<_, Reason>> = running
            .into_iter()
            .map(|thread| {
                thread?
                    .join()
                    .map_err(|_| Reason::from("proving broke down unexpectedly"))
            })
            .collect();
        parts.into_iter().collect::<Result<Vec<_>, _>>()
    })?;
    let questions = parts.iter().map(|(_, questions)| questions).sum();
    let mut results: Vec<(usize, T)> = parts.into_iter().flat_map(|(done, _)| done).collect();
    results.sort_by_key(|(index, _)| *index);
    Ok(Spread {
        results: results.into_iter().map(|(_, result)| result).collect(),
        questions,
    })
}
