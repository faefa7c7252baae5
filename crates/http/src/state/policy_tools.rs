//! Work on policies that takes long, or takes a text that somebody sent: other processes do it, with bounds on their
//! memory and time. `app` has the implementation.

use std::sync::Arc;

use salvo::async_trait;
use serde_json::Value;
use tokio::sync::mpsc;

use charter_authz::folder::Files;
use charter_authz::snapshot::Snapshot;
use charter_domain::timestamp::Timestamp;

/// Runs work on policies.
#[async_trait]
pub trait PolicyTools: Send + Sync {
    /// Checks a folder as the validation gate does and loads it. Nothing of it takes effect.
    ///
    /// # Errors
    ///
    /// The folder has faults, or the check did not finish.
    async fn load(&self, files: Files) -> Result<Arc<Snapshot>, FolderRefusal>;

    /// Starts a job, one at a time. It is ended when the receiver is dropped.
    ///
    /// # Errors
    ///
    /// Another one runs.
    fn start(&self, job: PolicyJob) -> Result<mpsc::Receiver<JobEvent>, Busy>;
}

/// Other work of this kind is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("other work on policies is under way")]
pub struct Busy;

/// Why a folder that was sent is not used.
#[derive(Debug)]
pub enum FolderRefusal {
    /// Its faults, each with `message`, `help`, `file`, `line` and `column`.
    Faults(Value),
    /// It took too long or too much memory, or nests too deeply.
    Unfinished(String),
    Busy,
}

/// A job, with the folders as texts.
#[derive(Debug, Clone)]
pub enum PolicyJob {
    /// What the candidate allows that the policies in force do not, and the other way round.
    Diff { in_force: Files, candidate: Files },
    /// Which recorded decisions the candidate would take differently.
    Replay { candidate: Files },
    /// What the examples cover, and which policies decided anything since then.
    Coverage { in_force: Files, since: Timestamp },
}

/// What a job reports.
#[derive(Debug)]
pub enum JobEvent {
    /// The folders were loaded, and the work begins.
    Accepted,
    /// Steps done, of those known so far; 0 of 0 where nobody counts.
    Progress { done: u64, known: u64 },
    /// The result; nothing follows.
    Done(Value),
    /// The faults of the candidate; nothing follows.
    Refused(Value),
    /// It did not finish; nothing follows.
    Failed(String),
}
