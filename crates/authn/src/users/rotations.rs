//! Refreshes many sessions in one write, on databases with one write connection.
//!
//! If a batch fails, each refresh is retried alone, so that one failure does not affect the others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use charter_domain::clock::Clock;
use charter_domain::session::TokenHash;
use charter_store::{self as store, NewRotation, Rotation, Store};

use super::batches::{BatchHandler, Batches};
use crate::secrets::opaque_token::REFRESH_LIFETIME;

/// A presented refresh token and its successor.
#[derive(Debug, Clone)]
pub(super) struct Presented {
    pub(super) hash: TokenHash,
    pub(super) successor: TokenHash,
    /// The key from which the successor was derived.
    pub(super) key_id: String,
}

/// Rotates refresh tokens.
pub(super) struct Rotations {
    rotator: Rotator,
    batches: Batches<Rotator>,
}

#[derive(Clone)]
struct Rotator {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
}

impl Rotations {
    pub(super) fn new(store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        let wait_timeout = store.wait_timeout();
        let rotator = Rotator {
            store,
            clock: Arc::clone(&clock),
        };
        Self {
            batches: Batches::new(rotator.clone(), wait_timeout, clock),
            rotator,
        }
    }

    /// Rotates a refresh token.
    pub(super) async fn rotate(&self, presented: Presented) -> Result<Rotation, store::Error> {
        // With several connections, a locked row must block only its own session.
        if !self.rotator.store.has_one_writer() {
            return self.rotator.rotate_one(&presented).await;
        }
        self.batches.ask(presented).await?.map_err(|error| {
            Arc::try_unwrap(error)
                .unwrap_or_else(|shared| store::Error::Unavailable(Box::new(shared)))
        })
    }
}

impl Rotator {
    /// The time of the write, not of the request, which may have waited.
    fn stamped(&self, presented: &Presented) -> NewRotation {
        let at = self.clock.now();
        NewRotation {
            presented: presented.hash,
            successor: presented.successor,
            key_id: presented.key_id.clone(),
            at,
            expires_at: at + REFRESH_LIFETIME,
        }
    }

    async fn rotate_one(&self, presented: &Presented) -> Result<Rotation, store::Error> {
        let outcome = self.store.rotate(&[self.stamped(presented)]).await?.pop();
        outcome.unwrap_or(Ok(Rotation::Void))
    }
}

impl BatchHandler for Rotator {
    type Question = Presented;
    type Answer = Result<Rotation, Arc<store::Error>>;

    async fn answer(&self, asked: Vec<Presented>) -> Vec<Self::Answer> {
        // Two tabs that present the same token get the same result.
        let mut seen = HashSet::new();
        let firsts = asked.iter().filter(|it| seen.insert(it.hash));
        let firsts: Vec<NewRotation> = firsts.map(|it| self.stamped(it)).collect();
        let mut together = HashMap::new();
        match self.store.rotate(&firsts).await {
            Ok(outcomes) => {
                together.extend(firsts.iter().map(|it| it.presented).zip(outcomes));
            }
            Err(error @ store::Error::Unavailable(_)) => {
                let error = Arc::new(error);
                return asked.iter().map(|_| Err(Arc::clone(&error))).collect();
            }
            Err(error) => {
                tracing::warn!(%error, "refreshes failed together, each is tried by itself");
            }
        }
        let mut answers = Vec::with_capacity(asked.len());
        for presented in &asked {
            let outcome = match together.remove(&presented.hash) {
                Some(outcome) => outcome,
                None => self.rotate_one(presented).await,
            };
            answers.push(outcome.map_err(Arc::new));
        }
        answers
    }
}
