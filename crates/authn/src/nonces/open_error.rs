//! Errors of opening a replay guard.

use std::io;
use std::path::PathBuf;

use charter_store as store;

use super::redis::Disagreement;

/// Why a guard could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Two processes on one journal would each accept the same nonce.
    #[error(
        "the replay journal in `{}` belongs to another running process, stop it or set another \
         data directory", .0.display()
    )]
    Locked(PathBuf),
    /// The directory cannot be made, read or written.
    #[error("the replay journal in `{}` cannot be used, check the directory and its disk", .path.display())]
    Directory {
        /// The journal's directory.
        path: PathBuf,
        source: io::Error,
    },
    /// The task ended early.
    #[error("opening the replay guard was aborted: {0}")]
    Stopped(String),
    /// Redis cannot be used.
    #[error("{0}; check `replay.url`")]
    Redis(#[from] Disagreement),
    /// Another process serves the database.
    #[error(transparent)]
    Lease(#[from] LeaseError),
}

/// Why the lease was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Two processes on one database would each accept the same nonce.
    #[error(
        "the database is in use by another running process ({0}); with `replay.store = \"memory\"` one process at a \
         time may serve a database: stop that one, give this one a database of its own, or set `replay.store` to `redis` for both"
    )]
    Held(String),
    #[error("another process has just taken the database, start again to see which")]
    Overtaken,
    #[error("the database cannot be asked who serves it: {0}")]
    Store(#[from] store::Error),
}
