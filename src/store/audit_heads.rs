//! The heads of the audit chains, kept outside the database: in the log, and in a file that is
//! only ever appended to. A table alone cannot show that its tail was cut off.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::Error;
use super::audit::Mac;
use super::entity::audit_event;
use crate::domain::id::OrganizationId;
use crate::domain::timestamp;

/// The end of a chain at some moment: one line of the file.
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

    /// Reads one line; `None` if it is no head.
    pub(super) fn parse(line: &str) -> Option<(OrganizationId, i64, Mac)> {
        let head: Self = serde_json::from_str(line).ok()?;
        let organization = head.organization.parse().ok()?;
        let mac = BASE64.decode(&head.mac).ok()?.try_into().ok()?;
        Some((organization, head.sequence, mac))
    }
}

/// The file, if the settings name one.
pub(super) struct HeadsFile(Option<Mutex<File>>);

impl HeadsFile {
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else {
            return Ok(Self(None));
        };
        let mut options = std::fs::OpenOptions::new();
        options.append(true).create(true).read(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let open = || {
            let mut file = options.open(path)?;
            end_line(&mut file)?;
            Ok(file)
        };
        let file = open().map_err(|error: std::io::Error| {
            Error::Setup(format!(
                "cannot open the file of audit heads `{}`: {error}",
                path.display()
            ))
        })?;
        Ok(Self(Some(Mutex::new(file))))
    }

    /// Logs the head and appends it. Its event is committed by now, so a failure is reported and
    /// not returned.
    pub(super) fn append(&self, head: &Head) {
        tracing::info!(
            target: "audit",
            organization = head.organization,
            sequence = head.sequence,
            mac = head.mac,
            "audit head"
        );
        if let Some(file) = &self.0
            && let Err(error) = append_line(&mut file.lock(), head)
        {
            metrics::counter!("charter_audit_head_failures_total").increment(1);
            tracing::error!(target: "audit", %error, "an audit head was not written");
        }
    }
}

/// A line that a crash of the machine cut short must not swallow the next one.
fn end_line(file: &mut File) -> std::io::Result<()> {
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last == [b'\n'] {
        Ok(())
    } else {
        file.write_all(b"\n")
    }
}

/// One write of one line, so that several processes can append.
fn append_line(file: &mut File, head: &Head) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(head)?;
    line.push(b'\n');
    file.write_all(&line)
}
