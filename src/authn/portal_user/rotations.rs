//! Refreshing many sessions at once, where all writes wait for one connection.
//!
//! What fails in a batch is tried once more by itself, so that nobody pays for another's trouble.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::store::{self, NewRotation, Rotation, Store};

use super::batches::{Answerer, Batches};

/// Rotates refresh tokens.
pub(super) struct Rotations {
    store: Arc<Store>,
    batches: Batches<Rotator>,
}

struct Rotator(Arc<Store>);

impl Rotations {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self {
            batches: Batches::new(Rotator(Arc::clone(&store))),
            store,
        }
    }

    /// What comes of presenting a refresh token.
    pub(super) async fn rotate(&self, rotation: NewRotation) -> Result<Rotation, store::Error> {
        // With several connections a row that is locked must hold up its own session only.
        if !self.store.has_one_writer() {
            return rotate_one(&self.store, rotation).await;
        }
        let outcome = self.batches.ask(rotation).await.unwrap_or_else(|| {
            let gone = "a refresh was given up".to_owned();
            Err(Arc::new(store::Error::Setup(gone)))
        });
        outcome.map_err(|error| {
            Arc::try_unwrap(error)
                .unwrap_or_else(|shared| store::Error::Unavailable(Box::new(shared)))
        })
    }
}

impl Answerer for Rotator {
    type Question = NewRotation;
    type Answer = Result<Rotation, Arc<store::Error>>;

    async fn answer(&self, asked: Vec<NewRotation>) -> Vec<Self::Answer> {
        // Of two tabs that present the same token, the second is told what the first one did.
        let mut seen = HashSet::new();
        let firsts = asked.iter().filter(|it| seen.insert(it.presented));
        let firsts: Vec<NewRotation> = firsts.cloned().collect();
        let mut together = HashMap::new();
        match self.0.rotate(&firsts).await {
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
        for rotation in asked {
            answers.push(match together.remove(&rotation.presented) {
                Some(outcome) => Ok(outcome),
                None => rotate_one(&self.0, rotation).await.map_err(Arc::new),
            });
        }
        answers
    }
}

async fn rotate_one(store: &Store, rotation: NewRotation) -> Result<Rotation, store::Error> {
    let outcome = store.rotate(&[rotation]).await?.pop();
    Ok(outcome.unwrap_or(Rotation::Void))
}
