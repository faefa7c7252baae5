//! Distributes work over a few threads, each with its own solver process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::worker::COMPILING_STACK_BYTES;
use super::{OpenReason, SolverBudget, SolverSession};

pub(crate) struct PoolResult<T> {
    /// In the order of the work.
    pub(crate) results: Vec<T>,
    /// Number of claims that needed the solver.
    pub(crate) queries: usize,
}

/// Runs `count` pieces of work.
///
/// # Errors
///
/// A thread could not be started or panicked.
pub(crate) fn run_parallel<T: Send>(
    budget: &SolverBudget<'_>,
    count: usize,
    work: impl Fn(&mut SolverSession<'_>, usize) -> T + Sync,
) -> Result<PoolResult<T>, OpenReason> {
    let next = AtomicUsize::new(0);
    let progress = budget.progress();
    progress.expect(count as u64);
    let one = || {
        let mut session = SolverSession::new(*budget);
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return (done, session.queries);
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
                    .stack_size(COMPILING_STACK_BYTES)
                    .spawn_scoped(scope, one)
                    .map_err(|error| {
                        OpenReason::unfinished(format!("cannot start a thread: {error}"))
                    })
            })
            .collect();
        let parts: Vec<Result<_, OpenReason>> = running
            .into_iter()
            .map(|thread| {
                thread?
                    .join()
                    .map_err(|_| OpenReason::from("proving broke down unexpectedly"))
            })
            .collect();
        parts.into_iter().collect::<Result<Vec<_>, _>>()
    })?;
    let queries = parts.iter().map(|(_, queries)| queries).sum();
    let mut results: Vec<(usize, T)> = parts.into_iter().flat_map(|(done, _)| done).collect();
    results.sort_by_key(|(index, _)| *index);
    Ok(PoolResult {
        results: results.into_iter().map(|(_, result)| result).collect(),
        queries,
    })
}
