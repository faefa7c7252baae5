//! What must be known of policies beyond a restart: the version that was in force, and who approved
//! what. Each line carries a MAC, since whoever could write here could approve.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::domain::timestamp::Timestamp;
use crate::settings::keys::Keys;

/// Parts of the key's purpose: nothing else is made with it.
const LABEL: &[u8] = b"charter policies v1";

/// The notes in `{data_dir}/policies`.
pub struct Memory {
    dir: PathBuf,
    /// The audit keys' derivatives: the first writes, all read.
    keys: Vec<[u8; 32]>,
}

/// The newest version that was in force.
#[derive(Debug, Serialize, Deserialize)]
struct Accepted {
    version: u64,
    digest: String,
}

/// Somebody answers for a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The folder's digest, invariants and examples included.
    pub digest: String,
    /// When.
    pub at: Timestamp,
}

/// What is written: a note and its MAC.
#[derive(Serialize, Deserialize)]
struct Sealed {
    note: String,
    mac: String,
}

impl Memory {
    /// The notes of this installation.
    #[must_use]
    pub fn of(data_dir: &Path, keys: &Keys) -> Self {
        let derive = |secret: &[u8]| mac(secret, LABEL);
        Self {
            dir: data_dir.join("policies"),
            keys: keys.audit.iter().map(|key| derive(key.expose())).collect(),
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

    /// Whether a folder may follow what was in force.
    pub(super) fn check_version(&self, digest: &str, version: Option<u64>) -> Result<(), String> {
        let text = match fs::read_to_string(self.dir.join("accepted.json")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(format!("the version in force cannot be read: {error}")),
        };
        // Broken or forged, it must not hold anything up for good: it only guards against mistakes
        // and against those who cannot write here.
        let Some(accepted) = self.open::<Accepted>(text.trim_end()) else {
            tracing::error!("the note of the policies' version is broken, it is made anew");
            return Ok(());
        };
        let held = "write a newer one with `charter policy manifest`; to go back, restore the \
                    older files and list them under a newer version";
        match version {
            Some(version) if version < accepted.version => Err(format!(
                "the manifest has version {version}, and version {} was in force: {held}",
                accepted.version
            )),
            Some(version) if version == accepted.version && digest != accepted.digest => {
                Err(format!(
                    "the manifest still has version {version}, and the files are others: {held}"
                ))
            }
            Some(_) => Ok(()),
            None => Err(format!(
                "the manifest is gone, version {} was in force: {held}",
                accepted.version
            )),
        }
    }

    pub(super) fn accept(&self, digest: &str, version: u64) -> io::Result<()> {
        self.make_dir()?;
        let accepted = Accepted {
            version,
            digest: digest.to_owned(),
        };
        let new = self.dir.join("accepted.json.new");
        let mut file = private().truncate(true).open(&new)?;
        writeln!(file, "{}", self.seal(&accepted)?)?;
        file.sync_all()?;
        fs::rename(new, self.dir.join("accepted.json"))
    }

    /// Notes that somebody answers for a folder.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn approve(&self, approval: &Approval) -> io::Result<()> {
        self.make_dir()?;
        let mut file = private().append(true).open(self.approvals())?;
        // One write, so that nobody reads half a line.
        file.write_all(format!("{}\n", self.seal(approval)?).as_bytes())?;
        file.sync_all()
    }

    /// The digests that were approved. Lines that nobody here wrote count for nothing.
    pub(super) fn approved(&self) -> Vec<String> {
        let text = fs::read_to_string(self.approvals()).unwrap_or_default();
        text.lines()
            .filter_map(|line| self.open::<Approval>(line))
            .map(|approval| approval.digest)
            .collect()
    }

    fn approvals(&self) -> PathBuf {
        self.dir.join("approvals.jsonl")
    }

    fn make_dir(&self) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
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

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).write(true).mode(0o600);
    options
}

/// HMAC-SHA-256 takes keys of every length.
fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mut mac| {
        mac.update(text);
        mac.finalize().into_bytes().into()
    })
}
