//! Hashing passwords beside the requests: a few at a time on threads of their own, which yield to all
//! others, so that a flood of sign-ins costs bounded memory and leaves other requests alone.

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

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordCheck {
    /// The right one; hashed anew where the stored hash is weaker than new ones are.
    Right {
        /// The new hash.
        rehashed: Option<String>,
    },
    /// Not the right one.
    Wrong,
}

/// Waiters for each thread, of each priority: more than it serves in time.
const MAX_WAITERS: usize = 512;

type Job = Box<dyn FnOnce() + Send>;

/// How much the hashing threads yield, of 19 (setpriority(2)): with an idle processor they have all
/// of it, beside busy workers about a tenth, so that sign-ins become slow but do not starve. Under
/// `SCHED_IDLE` others notice still less of them, but on a busy machine one hash took over ten
/// seconds (docs/performance.md).
const NICENESS: i32 = 10;

/// Hashes with a bounded number of permits, one for each of its threads.
pub struct PasswordPool {
    queue: WaitQueue<Requester>,
    /// Memory that those in line will need again; not more than one for each permit.
    spare: Arc<Mutex<Vec<Workspace>>>,
    jobs: Sender<Job>,
    wait_timeout: Duration,
    entropy: Arc<dyn Entropy>,
    decoy: String,
}

/// The right to hash once. It goes with the work to its thread and is given back when that ends,
/// whatever became of the request.
pub type Permit = wait_queue::Permit<Requester>;

/// Who wants a password hashed. Anonymous clients have low priority, so that no flood of them makes known
/// ones wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requester {
    /// Somebody with a device cookie, an access token or a link, by what tells them apart.
    Known([u8; 16]),
    /// Anybody, by the site it comes from.
    Anonymous(IpNet),
}

impl PasswordPool {
    /// A pool that does `at_once` hashes at a time and lets others wait for `wait_timeout`.
    ///
    /// # Errors
    ///
    /// [`PoolError`] if hashing does not work at all, or no thread can be started.
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

    /// Waits for the right to hash.
    ///
    /// # Errors
    ///
    /// [`PoolError::Busy`] if there was none in time, or too many wait already.
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
