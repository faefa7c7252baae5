//! Decisions that a writer could not write before it ended: kept beside the log's head, so that the next run records
//! them.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::queue::LostDecisions;
use charter_domain::timestamp;
use charter_system::atomic;

/// The file, which exists only while there are such decisions.
#[derive(Debug, Clone)]
pub(super) struct LossFile(PathBuf);

#[derive(Serialize, Deserialize)]
struct Content {
    lost: u64,
    since: String,
    until: String,
}

impl LossFile {
    pub(super) fn beside(head: &Path) -> Self {
        Self(head.with_extension("lost"))
    }

    /// `None` if nothing was lost. What cannot be parsed is reported and stays.
    pub(super) fn read(&self) -> io::Result<Option<LostDecisions>> {
        let text = match std::fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let parsed = serde_json::from_str(&text)
            .ok()
            .and_then(|content: Content| {
                Some(LostDecisions {
                    count: content.lost,
                    since: timestamp::parse(&content.since).ok()?,
                    until: timestamp::parse(&content.until).ok()?,
                })
            });
        if parsed.is_none() {
            tracing::error!(
                file = %self.0.display(),
                "the count of decisions that were lost at the last stop cannot be read"
            );
        }
        Ok(parsed)
    }

    pub(super) fn write(&self, lost: LostDecisions) -> io::Result<()> {
        let content = Content {
            lost: lost.count,
            since: timestamp::format_millis(lost.since),
            until: timestamp::format_millis(lost.until),
        };
        atomic::replace_private(&self.0, &serde_json::to_vec(&content)?)
    }

    /// They are in a file of the log now.
    pub(super) fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
