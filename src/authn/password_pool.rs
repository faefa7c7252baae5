//! Hashing passwords beside the requests: on threads of their own, a few at a time, so that a flood
//! of sign-ins costs bounded memory and leaves the async workers alone.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
    /// The task panicked.
    #[error("hashing a password panicked")]
    Panicked,
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

/// Hashes with a bounded number of permits.
pub struct PasswordPool {
    permits: Arc<Semaphore>,
    patience: Duration,
    entropy: Arc<dyn Entropy>,
    decoy: String,
}

/// The right to hash once. It goes with the work to its thread and is given back when that ends,
/// whatever became of the request.
pub struct Permit(OwnedSemaphorePermit);

impl PasswordPool {
    /// A pool that does `at_once` hashes at a time and lets others wait for `patience`.
    ///
    /// # Errors
    ///
    /// [`HashError`] if hashing does not work at all.
    pub fn new(
        at_once: usize,
        patience: Duration,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, HashError> {
        let mut nobodys = [0; 32];
        entropy.fill(&mut nobodys);
        let nobodys = nobodys
            .iter()
            .map(|byte| char::from(*byte))
            .collect::<String>();
        Ok(Self {
            permits: Arc::new(Semaphore::new(at_once)),
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
        let permit = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(self.patience, permit).await {
            Ok(Ok(permit)) => Ok(Permit(permit)),
            // Nobody closes the semaphore; if somebody did, nothing would be hashed.
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
    let task = tokio::task::spawn_blocking(move || {
        let _permit = permit.0;
        work()
    });
    Ok(task.await.map_err(|_| PoolError::Panicked)??)
}
