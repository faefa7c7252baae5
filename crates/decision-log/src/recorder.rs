//! Records decisions and looks them up.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::config::Overflow;
use super::denials::{Denials, TakenDenials};
use super::domain_decision::{DomainAsker, DomainDecision};
use super::find::FileIndexes;
use super::id_generator::IdGenerator;
use super::list::{DecisionPage, DecisionQuery};
use super::log_entry::{BuiltInDecision, Decided, EvaluationInput, LogEntry};
use super::queue::{self, Queue};
use super::record::DecisionRecord;
use super::status::{Status, WriterStatus};
use super::via::Via;
use charter_authz::decision::Outcome;
use charter_authz::principal::Principal;
use charter_authz::question::Question;
use charter_authz::refusal::Refusal;
use charter_authz::resource::Resource;
use charter_authz::snapshot::Snapshot;
use charter_budgets::{Budgets, Exhausted, Payer, Resource as Budget};
use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
use charter_domain::id::DecisionId;
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;

/// How long the status reports that a file was missing.
const MISSED_FILE_REPORTED_FOR: Duration = Duration::from_hours(1);
/// How long a look-up waits for the latest decisions to be written.
const WAIT_TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy)]
pub struct DecisionContext<'a> {
    pub principal: &'a Arc<Principal>,
    pub source_ip: IpAddr,
    /// When the request was authenticated.
    pub now: Timestamp,
    pub request_id: &'a str,
    pub via: Via,
    /// Whether the caller learns the id of an allowed decision, which then needs a line of its own.
    pub tells_id: bool,
}

/// The queue is full: the decision was not recorded and must not be acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the decision log cannot take another decision")]
pub struct NotRecorded;

/// A decision that is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedDecision {
    pub id: DecisionId,
    pub outcome: Outcome,
    /// Code and message of the forbid that refuses.
    pub refusal: Option<Refusal>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    queue: Arc<Queue>,
    /// `None` if decisions are not logged.
    log: Option<Arc<LogHandle>>,
}

pub(super) struct LogHandle {
    pub(super) status: Arc<Mutex<WriterStatus>>,
    pub(super) overflow: Overflow,
    pub(super) id: String,
    pub(super) dir: PathBuf,
    pub(super) indexes: Arc<FileIndexes>,
    pub(super) budgets: Arc<Budgets>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) denials: Denials,
}

impl Recorder {
    /// Generates ids and records nothing.
    #[must_use]
    pub fn disabled(entropy: Arc<dyn Entropy>) -> Self {
        Self {
            queue: Arc::new(Queue::new(0, IdGenerator::new(entropy), None)),
            log: None,
        }
    }

    pub(super) fn new(queue: Arc<Queue>, log: LogHandle) -> Self {
        Self {
            queue,
            log: Some(Arc::new(log)),
        }
    }

    /// Stops the writer after the queued decisions.
    pub(super) fn stop(&self) {
        self.queue.stop();
    }

    /// Decides a question and records the decision.
    ///
    /// # Errors
    ///
    /// [`NotRecorded`] if the queue is full and decisions must be recorded.
    pub fn decide(
        &self,
        snapshot: &Snapshot,
        by: DecisionContext<'_>,
        permission: Permission,
        resource: Resource<'_>,
    ) -> Result<RecordedDecision, NotRecorded> {
        let (decision, asked) = snapshot.decide_with_inputs(&Question {
            principal: by.principal,
            permission,
            resource,
            source_ip: by.source_ip,
            now: by.now,
        });
        let (outcome, refusal) = (decision.outcome, decision.refusal.clone());
        let Some(log) = &self.log else {
            let id = self.queue.next_id(by.now);
            return Ok(RecordedDecision {
                id,
                outcome,
                refusal,
            });
        };
        let entry = |id| LogEntry {
            id,
            at: by.now,
            request_id: by.request_id.to_owned(),
            via: by.via,
            tells_id: by.tells_id,
            decided: Decided::BuiltIn(BuiltInDecision {
                source_ip: by.source_ip,
                principal: Arc::clone(by.principal),
                subject: EvaluationInput::new(asked, &resource),
                decision,
            }),
        };
        let id = self.push(log, (by.now, 0), permission.as_str(), entry)?;
        if matches!(outcome, Outcome::Deny(_)) {
            let caller = by.principal.caller();
            let (organization, caller) = (caller.organization().id, caller.principal_id());
            let now = log.clock.monotonic();
            log.denials.note(&organization, &caller, id, now);
        }
        Ok(RecordedDecision {
            id,
            outcome,
            refusal,
        })
    }

    /// Records a decision of a domain of one's own.
    ///
    /// # Errors
    ///
    /// As [`Recorder::decide`].
    pub fn record(
        &self,
        by: DomainAsker<'_>,
        decision: DomainDecision,
    ) -> Result<DecisionId, NotRecorded> {
        let Some(log) = &self.log else {
            return Ok(self.queue.next_id(by.now));
        };
        let action = decision.answered.request.action();
        let action = action.map_or_else(String::new, ToString::to_string);
        let (domain, answered) = (Arc::clone(&decision.domain), Arc::clone(&decision.answered));
        let id = self.push(log, (by.now, answered.bytes), &action, |id| LogEntry {
            id,
            at: by.now,
            request_id: by.request_id.to_owned(),
            via: by.via,
            tells_id: by.tells_id,
            decided: Decided::Domain(Box::new(decision)),
        })?;
        if matches!(answered.verdict.outcome, Outcome::Deny(_)) {
            let subject = (&domain, answered.request.principal());
            let now = log.clock.monotonic();
            log.denials.note(&domain, &subject, id, now);
        }
        Ok(id)
    }

    fn push(
        &self,
        log: &LogHandle,
        (now, bytes): (Timestamp, usize),
        action: &str,
        entry: impl FnOnce(DecisionId) -> LogEntry,
    ) -> Result<DecisionId, NotRecorded> {
        let (id, pushed) = self.queue.push(now, bytes, entry);
        match (pushed, log.overflow) {
            (Ok(()), _) => Ok(id),
            (Err(queue::QueueFull), Overflow::Count) => {
                metrics::counter!("charter_decision_log_lost_total").increment(1);
                if !self.queue.count_lost(now) {
                    log.status.lock().lost += 1;
                    tracing::error!(
                        decision_id = %id,
                        permission = action,
                        "a decision is missing in the decision log: the writer has ended"
                    );
                }
                Ok(id)
            }
            (Err(queue::QueueFull), Overflow::Wait) => {
                metrics::counter!("charter_decision_log_refused_total").increment(1);
                Err(NotRecorded)
            }
        }
    }

    /// From now on denials are kept for [`Recorder::take_denials`], within each organization's share.
    pub fn keep_denials(&self) {
        if let Some(log) = &self.log {
            log.denials.want();
        }
    }

    /// Denials since the last time.
    #[must_use]
    pub fn take_denials(&self) -> TakenDenials {
        let log = self.log.as_ref();
        log.map_or_else(TakenDenials::default, |log| log.denials.take())
    }

    /// Those that could not be handed on are taken again, as far as there is room.
    pub fn put_back_denials(&self, ids: Vec<DecisionId>) {
        if let Some(log) = &self.log {
            log.denials.put_back(ids);
        }
    }

    /// Whether the budget of a caller and its organization allows another decision.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] if one of them has written too much recently.
    pub fn check_share(&self, payer: Payer) -> Result<(), Exhausted> {
        let check = |log: &Arc<LogHandle>| log.budgets.check_as(Budget::DecisionLogBytes, payer);
        self.log.as_ref().map_or(Ok(()), check)
    }

    /// Whether a request may proceed to its decision. If not, it should wait a moment and ask
    /// again.
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.waits() || (self.queue.has_room() && self.is_writing())
    }

    /// The same for a decision of a domain of one's own.
    #[must_use]
    pub fn has_room_for_domain(&self) -> bool {
        !self.waits() || (self.queue.has_room_for_bytes() && self.is_writing())
    }

    /// Whether the writer can write, or has not tried since it could.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        let log = self.log.as_ref();
        log.is_none_or(|log| log.status.lock().last_error.is_none())
    }

    fn waits(&self) -> bool {
        let log = self.log.as_ref();
        log.is_some_and(|log| log.overflow == Overflow::Wait)
    }

    /// Blocks until all decisions recorded so far are written. Returns false on timeout.
    #[must_use]
    pub fn flush(&self, timeout: Duration) -> bool {
        self.log.is_none() || self.queue.flush(timeout)
    }

    /// The indexes and the directory of the log, with the decisions so far; `None` if decisions are not logged.
    pub(super) fn flushed_files(&self) -> Option<(&FileIndexes, &Path)> {
        let log = self.log.as_ref()?;
        // If the log cannot be written now, earlier decisions can still be listed.
        let _ = self.flush(WAIT_TIMEOUT);
        Some((&log.indexes, &log.dir))
    }

    pub(super) fn find_logged(&self, id: DecisionId) -> std::io::Result<Option<DecisionRecord>> {
        let Some(log) = &self.log else {
            return Ok(None);
        };
        // If the log cannot be written now, earlier decisions can still be found.
        let _ = self.flush(WAIT_TIMEOUT);
        log.indexes.find(&log.dir, id)
    }

    /// The log's id, which stays over restarts; empty if decisions are not logged.
    #[must_use]
    pub fn log_id(&self) -> String {
        let log = self.log.as_ref();
        log.map(|log| log.id.clone()).unwrap_or_default()
    }

    /// Nothing if decisions are not logged.
    pub(super) fn list_logged(&self, query: &DecisionQuery) -> std::io::Result<DecisionPage> {
        let Some((indexes, dir)) = self.flushed_files() else {
            return Ok(DecisionPage::empty(query));
        };
        indexes.list(dir, query)
    }

    /// Whether this decision is in this process's files.
    pub fn has_written(&self, id: DecisionId) -> std::io::Result<bool> {
        let Some(log) = &self.log else {
            return Ok(false);
        };
        Ok(log.indexes.find(&log.dir, id)?.is_some())
    }

    /// `None` if decisions are not logged.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        let log = self.log.as_ref()?;
        let writer = log.status.lock().clone();
        // Requests are rejected before the queue is full, so a queue that is nearly full from load alone drains.
        let is_stuck = writer.last_error.is_some();
        let refuses = log.overflow == Overflow::Wait && (is_stuck || self.queue.is_full());
        let since = |missed| log.clock.monotonic().saturating_sub(missed);
        let missed = writer
            .missed
            .is_some_and(|missed| since(missed) < MISSED_FILE_REPORTED_FOR);
        Some(Status {
            writer,
            refuses,
            missed,
        })
    }
}
