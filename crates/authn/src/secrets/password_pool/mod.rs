//! Hashing passwords beside the requests: a few at a time on threads of their own, which yield to all
//! others, so that a flood of sign-ins costs bounded memory and leaves other requests alone.

mod turns;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::sync::oneshot;

use charter_domain::entropy::Entropy;

use super::password::{self, HashError, Verdict, Workspace};
use turns::{Turn, Turns};

pub use turns::Waiter;

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

/// Who may wait for each thread, known ones and strangers each: more than it serves in time.
const MAX_WAITERS: usize = 512;

type Job = Box<dyn FnOnce() + Send>;

/// How much the hashing threads yield, of 19 (setpriority(2)): with an idle processor they have all
/// of it, beside busy workers about a tenth, so that sign-ins become slow but do not starve. Under
/// `SCHED_IDLE` others notice still less of them, but on a busy machine one hash took over ten
/// seconds (docs/performance.md).
const NICENESS: i32 = 10;

/// Hashes with a bounded number of permits, one for each of its threads.
pub struct PasswordPool {
    turns: Arc<Turns>,
    /// Memory that those in line will need again; not more than one for each permit.
    spare: Arc<Mutex<Vec<Workspace>>>,
    jobs: Sender<Job>,
    patience: Duration,
    entropy: Arc<dyn Entropy>,
    decoy: String,
}

/// The right to hash once. It goes with the work to its thread and is given back when that ends,
/// whatever became of the request.
#[expect(dead_code, reason = "held, never looked at")]
pub struct Permit(Turn);

impl PasswordPool {
    /// A pool that does `at_once` hashes at a time and lets others wait for `patience`.
    ///
    /// # Errors
    ///
    /// [`PoolError`] if hashing does not work at all, or no thread can be started.
    pub fn new(
        at_once: usize,
        patience: Duration,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, PoolError> {
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..at_once {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name("passwords".to_owned())
                .spawn(move || work_through(&queue))?;
        }
        let mut nobodys = [0; 32];
        entropy.fill(&mut nobodys);
        let nobodys = nobodys
            .iter()
            .map(|byte| char::from(*byte))
            .collect::<String>();
        Ok(Self {
            turns: Turns::new(at_once, at_once.saturating_mul(MAX_WAITERS)),
            spare: Arc::default(),
            jobs,
            patience,
            decoy: password::hash(
                &SecretString::from(nobodys),
                &*entropy,
                &mut Workspace::default(),
            )?,
            entropy,
        })
    }

    /// Waits for the right to hash.
    ///
    /// # Errors
    ///
    /// [`PoolError::Busy`] if there was none in time, or too many wait already.
    pub async fn permit(&self, waiter: Waiter) -> Result<Permit, PoolError> {
        match tokio::time::timeout(self.patience, self.turns.wait(waiter)).await {
            Ok(Ok(turn)) => Ok(Permit(turn)),
            Ok(Err(_)) | Err(_) => Err(PoolError::Busy),
        }
    }

    /// Hashes a new password.
    ///
    /// # Errors
    ///
    /// [`PoolError`].
    pub async fn hash(&self, permit: Permit, password: SecretString) -> Result<String, PoolError> {
        let entropy = Arc::clone(&self.entropy);
        self.run(permit, move |workspace| {
            password::hash(&password, &*entropy, workspace)
        })
        .await
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
        self.run(permit, move |workspace| {
            match password::verify(&password, &stored, workspace)? {
                Verdict::Right { is_weak } if is_anybodys => {
                    let anew = || password::hash(&password, &*entropy, workspace);
                    let rehashed = is_weak.then(anew).transpose()?;
                    Ok(Checked::Right { rehashed })
                }
                Verdict::Right { .. } | Verdict::Wrong => Ok(Checked::Wrong),
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        permit: Permit,
        work: impl FnOnce(&mut Workspace) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, PoolError> {
        let (answer, result) = oneshot::channel();
        let (turns, spare) = (Arc::clone(&self.turns), Arc::clone(&self.spare));
        let job = move || {
            let mut workspace = spare.lock().pop().unwrap_or_default();
            let result = work(&mut workspace);
            if turns.is_crowded() {
                spare.lock().push(workspace);
            } else {
                spare.lock().clear();
                drop(workspace);
            }
            drop(permit);
            // Whoever asked may be gone.
            let _ = answer.send(result);
        };
        self.jobs
            .send(Box::new(job))
            .map_err(|_| PoolError::Panicked)?;
        Ok(result.await.map_err(|_| PoolError::Panicked)??)
    }
}

/// Does one job after the other, until the pool is gone.
fn work_through(queue: &Mutex<Receiver<Job>>) {
    // Where the system does not let it, hashing competes with the workers like anything else.
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "the threads that hash passwords do not yield to others");
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
