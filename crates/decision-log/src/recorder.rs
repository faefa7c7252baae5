//! Where requests hand decisions over, and look them up.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::config::Overflow;
use super::entry::{Entry, Subject};
use super::find::Indexes;
use super::ids::Ids;
use super::queue::{self, Queue};
use super::read::Record;
use super::status::{Status, WriterStatus};
use super::via::Via;
use charter_authz::decision::Outcome;
use charter_authz::principal::Principal;
use charter_authz::question::Question;
use charter_authz::refusal::Refusal;
use charter_authz::resource::Resource;
use charter_authz::snapshot::Snapshot;
use charter_budgets::{Budgets, Exhausted, Resource as Budget};
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_domain::id::{DecisionId, OrganizationId};
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;

/// How long it is told that a file was not where it should be.
const TOLD_FOR: Duration = Duration::from_hours(1);
/// How long a search waits for the latest decisions to be written.
const WAIT_TIMEOUT: Duration = Duration::from_millis(500);

/// The facts around a request that is decided.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Who asks.
    pub principal: &'a Arc<Principal>,
    /// Where the request came from.
    pub source_ip: IpAddr,
    /// When it was authenticated.
    pub now: Timestamp,
    /// Its id.
    pub request_id: &'a str,
    /// Through what it asks.
    pub via: Via,
    /// Whether somebody is told the decision's id though it is allowed: then it has a line.
    pub tells_id: bool,
}

/// The queue is full: the decision was not recorded and must not be acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the decision log cannot take another decision")]
pub struct NotRecorded;

/// An answer that is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// What finds it in the log.
    pub id: DecisionId,
    /// The answer.
    pub outcome: Outcome,
    /// What the forbid that refuses says of it.
    pub refusal: Option<Refusal>,
}

/// Where decisions are handed over. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    queue: Arc<Queue>,
    /// `None` where decisions are not logged.
    log: Option<Arc<Log>>,
}

/// The log that decisions are handed over to.
pub(super) struct Log {
    pub(super) status: Arc<Mutex<WriterStatus>>,
    pub(super) overflow: Overflow,
    pub(super) dir: PathBuf,
    pub(super) indexes: Arc<Indexes>,
    pub(super) budgets: Arc<Budgets>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Recorder {
    /// Gives ids to decisions and keeps none.
    #[must_use]
    pub fn disabled(entropy: Arc<dyn Entropy>) -> Self {
        Self {
            queue: Arc::new(Queue::new(0, Ids::new(entropy))),
            log: None,
        }
    }

    pub(super) fn new(queue: Arc<Queue>, log: Log) -> Self {
        Self {
            queue,
            log: Some(Arc::new(log)),
        }
    }

    /// Decisions that are handed over are the last ones.
    pub(super) fn stop(&self) {
        self.queue.stop();
    }

    /// Asks the policies and puts the answer on record.
    ///
    /// # Errors
    ///
    /// [`NotRecorded`] where nothing may be done without a record and there is no room for one.
    pub fn decide(
        &self,
        snapshot: &Snapshot,
        by: Asker<'_>,
        permission: Permission,
        resource: Resource<'_>,
    ) -> Result<Decided, NotRecorded> {
        let (decision, asked) = snapshot.decide_and_keep(&Question {
            principal: by.principal,
            permission,
            resource,
            source_ip: by.source_ip,
            now: by.now,
        });
        let (outcome, refusal) = (decision.outcome, decision.refusal.clone());
        let Some(log) = &self.log else {
            let id = self.queue.next_id(by.now);
            return Ok(Decided {
                id,
                outcome,
                refusal,
            });
        };
        let (id, pushed) = self.queue.push(by.now, |id| Entry {
            id,
            at: by.now,
            request_id: by.request_id.to_owned(),
            via: by.via,
            tells_id: by.tells_id,
            source_ip: by.source_ip,
            principal: Arc::clone(by.principal),
            subject: Subject::new(asked, &resource),
            decision,
        });
        match (pushed, log.overflow) {
            (Ok(()), _) => {}
            (Err(queue::Full), Overflow::Count) => {
                metrics::counter!("charter_decision_log_lost_total").increment(1);
                if !self.queue.lose(by.now) {
                    log.status.lock().lost += 1;
                    tracing::error!(
                        decision_id = %id,
                        %permission,
                        "a decision is missing in the decision log: its writer has ended"
                    );
                }
            }
            (Err(queue::Full), Overflow::Wait) => {
                metrics::counter!("charter_decision_log_refused_total").increment(1);
                return Err(NotRecorded);
            }
        }
        Ok(Decided {
            id,
            outcome,
            refusal,
        })
    }

    /// Whether an organization's share of the log allows another decision.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] if it has written too much lately.
    pub fn check_share(&self, organization: OrganizationId) -> Result<(), Exhausted> {
        let check = |log: &Arc<Log>| log.budgets.check(Budget::DecisionLogBytes, organization);
        self.log.as_ref().map_or(Ok(()), check)
    }

    /// Whether a request that is to be decided may go on. Where it may not, it should wait a
    /// moment and ask again.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let waits = self
            .log
            .as_ref()
            .is_some_and(|log| log.overflow == Overflow::Wait);
        !waits || self.queue.has_room()
    }

    /// Waits, blocking, until everything that was handed over before is in the file. False if
    /// that took too long.
    #[must_use]
    pub fn flush(&self, patience: Duration) -> bool {
        self.log.is_none() || self.queue.flush(patience)
    }

    /// Finds a decision of this process's log, the latest included; blocking. `None` if it is not
    /// there, or no longer.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn find(&self, id: DecisionId) -> std::io::Result<Option<Record>> {
        let Some(log) = &self.log else {
            return Ok(None);
        };
        // Where it cannot be written now, what was written before can still be found.
        let _ = self.flush(WAIT_TIMEOUT);
        log.indexes.find(&log.dir, id)
    }

    /// How the writer is; `None` where decisions are not logged.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        let log = self.log.as_ref()?;
        let writer = log.status.lock().clone();
        // Requests are turned away before the queue is full; nearly full by load alone passes.
        // Of a writer that has ended, the queue stays full.
        let is_stuck = writer.last_error.is_some() && !self.queue.has_room();
        let refuses = log.overflow == Overflow::Wait && (is_stuck || self.queue.is_full());
        let since = |missed| log.clock.monotonic().saturating_sub(missed);
        let missed = writer.missed.is_some_and(|missed| since(missed) < TOLD_FOR);
        Some(Status {
            writer,
            refuses,
            missed,
        })
    }
}
