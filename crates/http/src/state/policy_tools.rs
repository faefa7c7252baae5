//! Work on policies that is slow or uses folders sent by operators. It runs in child processes with limited memory
//! and time; `app` implements it.

use std::sync::Arc;

use salvo::async_trait;
use serde_json::Value;
use tokio::sync::mpsc;

use charter_authz::custom_domain::CustomDomain;
use charter_authz::folder::Files;
use charter_authz::snapshot::Snapshot;
use charter_domain::timestamp::Timestamp;

#[async_trait]
pub trait PolicyTools: Send + Sync {
    /// Checks a folder as the validation gate does and loads it, without putting it in force. Fails if the folder
    /// has faults or the check did not finish.
    async fn load(&self, files: Files) -> Result<Arc<Snapshot>, FolderRefusal>;

    /// The same for the folder of a domain of one's own.
    async fn load_domain(
        &self,
        name: &str,
        files: Files,
    ) -> Result<Arc<CustomDomain>, FolderRefusal>;

    /// Starts a job; dropping the receiver cancels it. Fails if another one is running.
    fn start(&self, job: PolicyJob) -> Result<mpsc::Receiver<JobEvent>, Busy>;
}

/// Another job is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("other work on policies is under way")]
pub struct Busy;

/// Why a folder was refused.
#[derive(Debug)]
pub enum FolderRefusal {
    /// Each with `message`, `help`, `file`, `line` and `column`.
    Faults(Value),
    /// It took too long or too much memory, or is nested too deeply.
    Unfinished(String),
    Busy,
}

/// Folders are given as texts; those of a domain of one's own with its name.
#[derive(Debug, Clone)]
pub enum PolicyJob {
    /// What the candidate allows that the policies in force do not, and vice versa.
    Diff {
        domain: Option<String>,
        in_force: Files,
        candidate: Files,
    },
    /// Which logged decisions the candidate would make differently.
    Replay {
        domain: Option<String>,
        candidate: Files,
    },
    /// What the examples cover, and which policies have determined decisions since then.
    Coverage {
        domain: Option<String>,
        in_force: Files,
        since: Timestamp,
    },
}

#[derive(Debug)]
pub enum JobEvent {
    /// The folders were loaded, and the work begins.
    Accepted,
    /// Steps done, of those known so far; 0 of 0 if unknown.
    Progress { done: u64, known: u64 },
    /// The result; the last event.
    Done(Value),
    /// The faults of the candidate; the last event.
    Refused(Value),
    /// It did not finish; the last event.
    Failed(String),
}
