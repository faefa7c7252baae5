//! Hashes passwords on a few threads of low priority, so that a flood of sign-ins takes bounded memory and does not
//! slow other requests down.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use ipnet::IpNet;
use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::sync::oneshot;
use tokio::time::Instant;

use charter_domain::entropy::Entropy;
use charter_wait_queue::{self as wait_queue, Limits, WaitQueue};

use super::password::{self, HashError, PasswordVerdict, Workspace};

/// Why a password was not hashed.
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
    /// No thread could be started.
    #[error("no thread to hash passwords on could be started: {0}")]
    NoThread(#[from] std::io::Error),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordCheck {
    /// The right one; hashed anew if the stored hash is weaker than new ones.
    Right {
        /// The new hash.
        rehashed: Option<String>,
    },
    Wrong,
}

/// Waiters for each thread, of each priority: more than it serves in time.
const MAX_WAITERS: usize = 512;

type Job = Box<dyn FnOnce() + Send>;

/// The nice value of hashing threads, of 19 (setpriority(2)). An idle processor is theirs; beside busy workers they get
/// about a tenth, so that sign-ins become slow but do not starve. Under `SCHED_IDLE` one hash took over ten seconds on
/// a busy machine (docs/performance.md).
const NICENESS: i32 = 10;

/// Hashes with a bounded number of permits, one for each of its threads.
pub struct PasswordPool {
    queue: WaitQueue<Requester>,
    /// Memory to reuse; not more than one for each permit.
    spare: Arc<Mutex<Vec<Workspace>>>,
    jobs: Sender<Job>,
    wait_timeout: Duration,
    entropy: Arc<dyn Entropy>,
    decoy: String,
}

/// Permits one hash. It moves to the hashing thread and is released there, even if the request was dropped.
pub type Permit = wait_queue::Permit<Requester>;

/// The client of a hash. Anonymous ones have low priority, so that a flood of them does not delay known ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requester {
    /// A client with a device cookie, an access token or a link, by its id.
    Known([u8; 16]),
    /// Any other, by its site.
    Anonymous(IpNet),
}

impl PasswordPool {
    /// A pool of `at_once` threads; others wait up to `wait_timeout`.
    ///
    /// # Errors
    ///
    /// [`PoolError`] if hashing fails, or no thread can be started.
    pub fn new(
        at_once: usize,
        wait_timeout: Duration,
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
        let limits = Limits {
            per_holder: usize::MAX,
            max_waiters: at_once.saturating_mul(MAX_WAITERS),
        };
        Ok(Self {
            queue: WaitQueue::new(at_once, limits),
            spare: Arc::default(),
            jobs,
            wait_timeout,
            decoy: password::hash(
                &SecretString::from(nobodys),
                &*entropy,
                &mut Workspace::default(),
            )?,
            entropy,
        })
    }

    /// Waits for a permit.
    ///
    /// # Errors
    ///
    /// [`PoolError::Busy`] if the wait timed out, or too many wait.
    pub async fn permit(&self, requester: Requester) -> Result<Permit, PoolError> {
        let deadline = Instant::now() + self.wait_timeout;
        let permit = match requester {
            Requester::Known(_) => self.queue.acquire(requester, deadline).await,
            Requester::Anonymous(_) => {
                let queue = &self.queue;
                queue.acquire_with_low_priority(requester, deadline).await
            }
        };
        permit.map_err(|_| PoolError::Busy)
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

    /// Checks a password against a stored hash. With `None` it does the same work, and the password is wrong.
    ///
    /// # Errors
    ///
    /// [`PoolError`].
    pub async fn check(
        &self,
        permit: Permit,
        password: SecretString,
        stored: Option<String>,
    ) -> Result<PasswordCheck, PoolError> {
        let is_anybodys = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.clone());
        let entropy = Arc::clone(&self.entropy);
        self.run(permit, move |workspace| {
            match password::verify(&password, &stored, workspace)? {
                PasswordVerdict::Right { is_weak } if is_anybodys => {
                    let anew = || password::hash(&password, &*entropy, workspace);
                    let rehashed = is_weak.then(anew).transpose()?;
                    Ok(PasswordCheck::Right { rehashed })
                }
                PasswordVerdict::Right { .. } | PasswordVerdict::Wrong => Ok(PasswordCheck::Wrong),
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
        let (queue, spare) = (self.queue.clone(), Arc::clone(&self.spare));
        let job = move || {
            let mut workspace = spare.lock().pop().unwrap_or_default();
            let result = work(&mut workspace);
            if queue.has_waiters() {
                spare.lock().push(workspace);
            } else {
                spare.lock().clear();
                drop(workspace);
            }
            drop(permit);
            // The receiver may be dropped.
            let _ = answer.send(result);
        };
        self.jobs
            .send(Box::new(job))
            .map_err(|_| PoolError::Panicked)?;
        Ok(result.await.map_err(|_| PoolError::Panicked)??)
    }
}

/// Runs jobs until the pool is dropped.
fn work_through(queue: &Mutex<Receiver<Job>>) {
    // If that fails, hashing has normal priority.
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "the threads that hash passwords do not yield to others");
    }
    loop {
        let job = queue.lock().recv();
        let Ok(job) = job else { return };
        // After a panic the result's sender is dropped, which the caller notices.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("hashing a password panicked");
        }
    }
}
