//! What must be known of policies beyond a restart: which were in force, and which somebody approved.
//! Each note carries a MAC, since whoever could write here could approve.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::authz::folder::Files;
use crate::domain::timestamp::Timestamp;
use crate::settings::keys::Keys;
use crate::system::lines::LineFile;
use crate::system::private;

/// The file with what was in force.
const ACCEPTED: &str = "accepted.json";
/// Parts of the key's purpose: nothing else is made with it.
const LABEL: &[u8] = b"charter policies v1";

/// The notes in `{data_dir}/policies`.
pub struct Memory {
    dir: PathBuf,
    /// The audit keys' derivatives: the first writes, all read.
    keys: Vec<[u8; 32]>,
    /// What this process noted last, whether it could be written or not.
    last: Mutex<Option<Last>>,
    /// The same as text, where it could not be written.
    unwritten: Mutex<Option<String>>,
}

/// What was in force last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Accepted {
    /// The manifest's version, if there was one.
    pub(super) version: Option<u64>,
    /// The folder's digest, invariants and examples included.
    pub(super) digest: String,
    /// Since when.
    pub(super) at: Timestamp,
    /// Whether it was taken as an emergency stop, with gates that it did not pass.
    pub(super) is_stop: bool,
    /// All of it, to compare with what is found after a restart.
    pub(super) files: Files,
    /// What was in force before, so that no two notes are ever the same.
    pub(super) after: Mark,
}

/// What is known of what was in force last.
#[derive(Debug, Clone)]
pub(super) enum Last {
    /// Nothing ever was, as far as this directory knows.
    None,
    /// There is a note that nobody here wrote, or that is damaged.
    Broken(Mark),
    Known(Arc<Accepted>, Mark),
}

/// Names one note of what was in force: the digest of its text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Mark(String);

/// Somebody answers for a folder in the place of what was in force then, and of nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Approval {
    /// The folder's digest, invariants and examples included.
    digest: String,
    at: Timestamp,
    after: Mark,
}

/// What is written: a note and its MAC.
#[derive(Serialize, Deserialize)]
struct Sealed {
    note: String,
    mac: String,
}

impl Mark {
    fn of(text: &str) -> Self {
        Self(BASE64_STANDARD.encode(Sha256::digest(text.trim_end())))
    }
}

impl Last {
    pub(super) fn mark(&self) -> Mark {
        match self {
            Self::None => Mark::default(),
            Self::Broken(mark) | Self::Known(_, mark) => mark.clone(),
        }
    }

    /// Whether a folder may follow it.
    pub(super) fn check_version(&self, digest: &str, version: Option<u64>) -> Result<(), String> {
        let Self::Known(last, _) = self else {
            return Ok(());
        };
        let Some(before) = last.version else {
            return Ok(());
        };
        let held = "write a newer one with `charter policy manifest`; to go back, restore the \
                    older files and list them under a newer version";
        match version {
            Some(version) if version < before => Err(format!(
                "the manifest has version {version}, and version {before} was in force: {held}"
            )),
            Some(version) if version == before && digest != last.digest => Err(format!(
                "the manifest still has version {version}, and the files are others: {held}"
            )),
            Some(_) => Ok(()),
            None => Err(format!(
                "the manifest is gone, version {before} was in force: {held}"
            )),
        }
    }
}

impl Memory {
    /// The notes of this installation.
    #[must_use]
    pub fn of(data_dir: &Path, keys: &Keys) -> Self {
        let derive = |secret: &[u8]| mac(secret, LABEL);
        Self {
            dir: data_dir.join("policies"),
            keys: keys.audit.iter().map(|key| derive(key.expose())).collect(),
            last: Mutex::new(None),
            unwritten: Mutex::new(None),
        }
    }

    /// The key of other notes about policies, for this purpose.
    #[must_use]
    pub fn key_for(&self, purpose: &[u8]) -> [u8; 32] {
        let key = self.keys.first().copied().unwrap_or_default();
        mac(&key, purpose)
    }

    /// The directory of the notes.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was in force last.
    pub(super) fn last(&self) -> Result<Last, String> {
        if let Some(last) = self.last.lock().as_ref() {
            return Ok(last.clone());
        }
        let text = match fs::read_to_string(self.dir.join(ACCEPTED)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Last::None),
            Err(error) => {
                let path = self.dir.join(ACCEPTED);
                return Err(format!(
                    "what was in force cannot be read from `{}`: {error}",
                    path.display()
                ));
            }
        };
        let mark = Mark::of(&text);
        Ok(match self.open(text.trim_end()) {
            Some(accepted) => Last::Known(Arc::new(accepted), mark),
            None => Last::Broken(mark),
        })
    }

    /// That is in force since an earlier start, whatever others write into this directory.
    pub(super) fn remember(&self, last: &Last) {
        *self.last.lock() = Some(last.clone());
    }

    /// Notes what is in force. What cannot be written counts for this process, and is kept for
    /// another try.
    pub(super) fn accept(&self, accepted: Accepted) -> io::Result<()> {
        let text = self.seal(&accepted)?;
        *self.last.lock() = Some(Last::Known(Arc::new(accepted), Mark::of(&text)));
        *self.unwritten.lock() = Some(text);
        self.write()
    }

    /// Whether there is a note that could not be written.
    pub(super) fn is_behind(&self) -> bool {
        self.unwritten.lock().is_some()
    }

    /// Writes what is not written yet.
    pub(super) fn write(&self) -> io::Result<()> {
        let Some(text) = self.unwritten.lock().clone() else {
            return Ok(());
        };
        self.make_dir()?;
        let new = self.dir.join("accepted.json.new");
        let line = format!("{text}\n");
        private::replace(&self.dir.join(ACCEPTED), &new, line.as_bytes())?;
        self.unwritten
            .lock()
            .take_if(|unwritten| *unwritten == text);
        Ok(())
    }

    /// Notes that somebody answers for a folder, by its whole digest, in the place of what is in
    /// force now.
    ///
    /// # Errors
    ///
    /// What is in force cannot be read, or the note cannot be written.
    pub fn approve(&self, digest: &str, at: Timestamp) -> io::Result<()> {
        let approval = Approval {
            digest: digest.to_owned(),
            at,
            after: self.last().map_err(io::Error::other)?.mark(),
        };
        self.make_dir()?;
        let line = format!("{}\n", self.seal(&approval)?);
        let mut file = LineFile::open(&self.approvals())?;
        file.append(line.as_bytes()).map_err(|error| error.source)?;
        file.sync()
    }

    /// Whether somebody answers for this folder in the place of what is in force.
    pub(super) fn is_approved(&self, digest: &str, last: &Last) -> bool {
        let text = match fs::read_to_string(self.approvals()) {
            Ok(text) => text,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    let path = self.approvals();
                    tracing::error!(%error, path = %path.display(), "approvals cannot be read, nothing is approved; make the file the service's own");
                }
                return false;
            }
        };
        let mark = last.mark();
        text.lines()
            .filter_map(|line| self.open::<Approval>(line))
            .any(|approval| approval.digest == digest && approval.after == mark)
    }

    fn approvals(&self) -> PathBuf {
        self.dir.join("approvals.jsonl")
    }

    fn make_dir(&self) -> io::Result<()> {
        private::create_dir(&self.dir)
    }

    fn seal(&self, note: &impl Serialize) -> io::Result<String> {
        let note = serde_json::to_string(note)?;
        let key = self.keys.first().copied().unwrap_or_default();
        let mac = BASE64_STANDARD.encode(mac(&key, note.as_bytes()));
        Ok(serde_json::to_string(&Sealed { note, mac })?)
    }

    fn open<T: for<'a> Deserialize<'a>>(&self, line: &str) -> Option<T> {
        let sealed: Sealed = serde_json::from_str(line).ok()?;
        let tag = BASE64_STANDARD.decode(&sealed.mac).ok()?;
        let made_here = self.keys.iter().any(|key| {
            Hmac::<Sha256>::new_from_slice(key).is_ok_and(|mut mac| {
                mac.update(sealed.note.as_bytes());
                mac.verify_slice(&tag).is_ok()
            })
        });
        made_here.then(|| serde_json::from_str(&sealed.note).ok())?
    }
}

/// HMAC-SHA-256 takes keys of every length.
fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mut mac| {
        mac.update(text);
        mac.finalize().into_bytes().into()
    })
}
