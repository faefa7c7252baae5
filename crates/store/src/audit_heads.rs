//! The heads of the audit chains, kept outside the database: in the log and in an append-only file. The table
//! alone cannot show that its last rows were removed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::Error;
use super::audit_mac::Mac;
use super::entity::audit_event;
use charter_domain::clock::Clock;
use charter_domain::id::OrganizationId;
use charter_domain::timestamp;
use charter_system::lines::{Appended, LineFile};

/// The last event of a chain at some time; one line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    organization: String,
    sequence: i64,
    /// Base64.
    mac: String,
    at: String,
}

impl Head {
    pub(super) fn of(event: &audit_event::Model) -> Self {
        Self {
            organization: OrganizationId::from_uuid(event.organization_id).to_string(),
            sequence: event.sequence,
            mac: BASE64.encode(&event.mac),
            at: timestamp::format(event.occurred_at),
        }
    }

    /// Parses a line; `None` if it is not a head.
    pub(super) fn parse(line: &str) -> Option<AttestedEnd> {
        let head: Self = serde_json::from_str(line).ok()?;
        Some(AttestedEnd {
            organization: head.organization.parse().ok()?,
            sequence: head.sequence,
            mac: BASE64.decode(&head.mac).ok()?.try_into().ok()?,
        })
    }
}

/// A chain, and the number and MAC of its last event.
pub(super) struct AttestedEnd {
    pub(super) organization: OrganizationId,
    pub(super) sequence: i64,
    pub(super) mac: Mac,
}

/// The first bytes of every line.
const BEGINNING: &str = "{\"organization\":";

/// A line that does not parse.
pub(super) enum Torn {
    /// A truncated head, followed by a whole one if the next write came directly after it.
    Head(Option<AttestedEnd>),
    /// Nothing that this service writes.
    No,
}

impl Torn {
    /// A full disk or a crash truncates a line. Earlier versions wrote the next line directly after it.
    pub(super) fn of(line: &str) -> Self {
        let whole = line
            .rfind(BEGINNING)
            .filter(|at| *at > 0)
            .and_then(|at| line.split_at_checked(at))
            .and_then(|(before, rest)| Some((before, Head::parse(rest)?)));
        let (beginning, whole) = match whole {
            Some((before, whole)) => (before, Some(whole)),
            None => (line, None),
        };
        let is_beginning =
            serde_json::from_str::<Head>(beginning).is_err_and(|error| error.is_eof());
        if is_beginning {
            Self::Head(whole)
        } else {
            Self::No
        }
    }
}

/// How long a moved or cut file is reported.
const TOLD_FOR: Duration = Duration::from_hours(1);

/// The file, if it is configured.
pub(super) struct HeadsFile {
    file: Option<Mutex<LineFile>>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// The reported state of the file.
#[derive(Default)]
struct State {
    last_error: Option<String>,
    /// When the file was found moved or cut, by the monotonic clock.
    missed: Option<Duration>,
}

impl HeadsFile {
    pub(super) fn open(path: Option<&Path>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let file = path.map(LineFile::open).transpose().map_err(|error| {
            let path = path.unwrap_or(Path::new("")).display();
            Error::Setup(format!(
                "cannot open the file of audit heads `{path}`: {error}"
            ))
        })?;
        Ok(Self {
            file: file.map(Mutex::new),
            clock,
            state: Mutex::default(),
        })
    }

    /// Logs the head and appends it to the file. Its event is committed, so a failure is only reported.
    pub(super) fn append(&self, head: &Head) {
        tracing::info!(
            target: "audit",
            organization = head.organization,
            sequence = head.sequence,
            mac = head.mac,
            "audit head"
        );
        let Some(file) = &self.file else { return };
        let appended = serde_json::to_vec(head)
            .map_err(|error| (error.into(), true))
            .and_then(|mut line| {
                line.push(b'\n');
                let appended = file.lock().append(&line);
                appended.map_err(|error| (error.source, error.lost))
            });
        match appended {
            Ok(appended) => self.went_well(appended),
            Err((error, lost)) => self.failed(&error, lost),
        }
    }

    /// Appends the heads of earlier failures, and syncs. Blocks.
    pub(super) fn sync(&self) {
        let Some(file) = &self.file else { return };
        let to_sync = file.lock().to_sync();
        match to_sync {
            Ok((appended, to_sync)) => match to_sync.map_or(Ok(()), |it| it.sync_data()) {
                Ok(()) => self.went_well(appended),
                Err(error) => {
                    file.lock().mark_unsynced();
                    self.failed(&error, false);
                }
            },
            Err(error) => self.failed(&error, false),
        }
    }

    /// The current fault.
    pub(super) fn fault(&self) -> Option<String> {
        let state = self.state.lock();
        let since = |missed| self.clock.monotonic().saturating_sub(missed);
        let missed = state.missed.is_some_and(|missed| since(missed) < TOLD_FOR);
        state.last_error.clone().or_else(|| {
            missed.then(|| {
                "it was removed, replaced or cut while the service runs, and goes on without what it held; this is reported \
                 for an hour"
                    .to_owned()
            })
        })
    }

    fn went_well(&self, appended: Appended) {
        let mut state = self.state.lock();
        if state.last_error.take().is_some() {
            tracing::info!(target: "audit", "audit heads are written again");
        }
        if appended.missed {
            state.missed = Some(self.clock.monotonic());
            metrics::counter!("charter_log_files_missed_total", "file" => "audit_heads")
                .increment(1);
            tracing::error!(
                target: "audit",
                "the file of audit heads was removed, replaced or cut while the service runs and goes on without \
                 what it held; compare it with a copy, `charter audit verify` cannot miss what it held"
            );
        }
    }

    fn failed(&self, error: &std::io::Error, lost: bool) {
        metrics::counter!("charter_audit_head_failures_total").increment(1);
        let text = error.to_string();
        let before = self.state.lock().last_error.replace(text);
        if before.is_none() || lost {
            tracing::error!(target: "audit", %error, lost, "an audit head was not written");
        }
    }
}

impl Drop for HeadsFile {
    fn drop(&mut self) {
        self.sync();
    }
}
