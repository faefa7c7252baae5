//! Hashing passwords beside the requests: a few at a time on threads of their own, which yield to all
//! others, so that a flood of sign-ins costs bounded memory and leaves other requests alone.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use secrecy::SecretString;
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::domain::entropy::Entropy;

use super::password::{self, HashError, Verdict};

/// Why there was no verdict.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// Too many others wait.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// It could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The thread panicked.
    #[error("hashing a password panicked")]
    Panicked,
    /// There are no threads to be had.
    #[error("no thread to hash passwords on could be started: {0}")]
    NoThread(#[from] std::io::Error),
}

/// What a password was checked to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The right one; hashed anew where the stored hash is weaker than new ones are.
    Right {
        /// The new hash.
        rehashed: Option<String>,
    },
    /// Not the right one.
    Wrong,
}

type Job = Box<dyn FnOnce() + Send>;

/// Hashes with a bounded number of permits, one for each of its threads.
///
/// Most threads take only what the others leave of the processors, so that a crowd that signs in
/// delays nobody else. Where the others leave nothing for long, one more thread that competes like
/// any other keeps sign-ins going.
pub struct PasswordPool {
    yielding: Lane,
    competing: Lane,
    patience: Duration,
    entropy: Arc<dyn Entropy>,
    decoy: String,
}

/// Threads of one kind.
struct Lane {
    permits: Arc<Semaphore>,
    jobs: Sender<Job>,
}

/// The right to hash once. It goes with the work to its thread and is given back when that ends,
/// whatever became of the request.
pub struct Permit {
    held: OwnedSemaphorePermit,
    jobs: Sender<Job>,
}

impl Lane {
    fn start(threads: usize, yields: bool) -> Result<Self, PoolError> {
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name("passwords".to_owned())
                .spawn(move || work_through(&queue, yields))?;
        }
        Ok(Self {
            permits: Arc::new(Semaphore::new(threads)),
            jobs,
        })
    }

    async fn permit(&self, patience: Duration) -> Result<Permit, PoolError> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        match timeout(patience, permit).await {
            Ok(Ok(held)) => Ok(Permit {
                held,
                jobs: self.jobs.clone(),
            }),
            // Nobody closes the semaphore; if somebody did, nothing would be hashed.
            Ok(Err(_)) | Err(_) => Err(PoolError::Busy),
        }
    }
}

impl PasswordPool {
    /// A pool that does `at_once` hashes at a time, one more where that does not get on, and lets
    /// others wait for `patience`.
    ///
    /// # Errors
    ///
    /// [`PoolError`] if hashing does not work at all, or no thread can be started.
    pub fn new(
        at_once: usize,
        patience: Duration,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, PoolError> {
        let mut nobodys = [0; 32];
        entropy.fill(&mut nobodys);
        let nobodys = nobodys
            .iter()
            .map(|byte| char::from(*byte))
            .collect::<String>();
        Ok(Self {
            yielding: Lane::start(at_once, true)?,
            competing: Lane::start(1, false)?,
            patience,
            decoy: password::hash(&SecretString::from(nobodys), &*entropy)?,
            entropy,
        })
    }

    /// Waits for the right to hash.
    ///
    /// # Errors
    ///
    /// [`PoolError::Busy`] if there was none in time.
    pub async fn permit(&self) -> Result<Permit, PoolError> {
        let half = self.patience / 2;
        match self.yielding.permit(half).await {
            Err(PoolError::Busy) => self.competing.permit(half).await,
            other => other,
        }
    }

    /// Hashes a new password.
    ///
    /// # Errors
    ///
    /// [`PoolError`].
    pub async fn hash(&self, permit: Permit, password: SecretString) -> Result<String, PoolError> {
        let entropy = Arc::clone(&self.entropy);
        run(permit, move || password::hash(&password, &*entropy)).await
    }

    /// Checks a password against a stored hash. With `None` the same work is done for nothing, and
    /// the password is wrong.
    ///
    /// # Errors
    ///
    /// [`PoolError`].
    pub async fn check(
        &self,
        permit: Permit,
        password: SecretString,
        stored: Option<String>,
    ) -> Result<Checked, PoolError> {
        let is_anybodys = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.clone());
        let entropy = Arc::clone(&self.entropy);
        run(permit, move || {
            match password::verify(&password, &stored)? {
                Verdict::Right { is_weak } if is_anybodys => {
                    let anew = || password::hash(&password, &*entropy);
                    let rehashed = is_weak.then(anew).transpose()?;
                    Ok(Checked::Right { rehashed })
                }
                Verdict::Right { .. } | Verdict::Wrong => Ok(Checked::Wrong),
            }
        })
        .await
    }
}

async fn run<T: Send + 'static>(
    permit: Permit,
    work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
) -> Result<T, PoolError> {
    let (answer, result) = oneshot::channel();
    let Permit { held, jobs } = permit;
    let job = move || {
        let result = work();
        drop(held);
        // Whoever asked may be gone.
        let _ = answer.send(result);
    };
    jobs.send(Box::new(job)).map_err(|_| PoolError::Panicked)?;
    Ok(result.await.map_err(|_| PoolError::Panicked)??)
}

/// Does one job after the other, until the pool is gone.
fn work_through(queue: &Mutex<Receiver<Job>>, yields: bool) {
    if yields {
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let yielded = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
        // Where the system does not let it, hashing competes with the workers like anything else.
        if let Err(error) = yielded {
            tracing::warn!(
                ?error,
                "the threads that hash passwords do not yield to others"
            );
        }
    }
    loop {
        let job = queue.lock().recv();
        let Ok(job) = job else { return };
        // What a panic leaves behind is an answer that never comes, which the asker notices.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("hashing a password panicked");
        }
    }
}
