//! Which policies were in force last, kept in the database beyond a restart, and whether somebody
//! answers for their successor.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use sha2::Sha256;

use crate::settings::keys::Keys;
use charter_authz::folder::Files;
use charter_domain::clock::Clock;
use charter_domain::timestamp::Timestamp;
use charter_store::{Error, LastRevision, NewPolicyRevision, Store, TakenAs, person};

use super::super::provision;

/// Parts of the key's purpose: nothing else is made with it.
const LABEL: &[u8] = b"charter policies v1";

/// The revisions and approvals of this installation.
pub(super) struct AcceptedStore {
    /// `None` where there is none yet: nothing was ever in force.
    store: Option<Arc<Store>>,
    clock: Arc<dyn Clock>,
    approvals: usize,
    /// Where proofs are kept, and the key that vouches for them.
    proofs: PathBuf,
    proofs_key: [u8; 32],
    /// What this process recorded last, whether it could be written or not.
    last: Mutex<Option<Arc<Last>>>,
    /// What could not be written yet, oldest first.
    unwritten: Mutex<VecDeque<NewPolicyRevision>>,
}

/// What was in force last.
#[derive(Debug, Clone)]
pub(super) struct Last {
    /// Its number, which an approval names; `None` until it is written.
    pub(super) base: Option<i64>,
    pub(super) what: Known,
}

/// What is known of it.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// Nothing ever was in force: the installation is new.
    Nothing,
    /// Something was, and its record is missing or not authentic.
    Lost,
    Revision(Accepted),
}

/// Policies that were taken.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    /// The manifest's version, if there was one.
    pub(super) version: Option<u64>,
    /// Of the whole folder.
    pub(super) digest: String,
    /// Since when it is in force.
    pub(super) since: Timestamp,
    /// Whether it was taken as an emergency stop, which some gates may not let pass.
    pub(super) is_stop: bool,
    /// All of it.
    pub(super) files: Files,
}

impl From<LastRevision> for Last {
    fn from(last: LastRevision) -> Self {
        Self {
            base: Some(last.sequence()),
            what: match last {
                LastRevision::None => Known::Nothing,
                LastRevision::Unknown(_) => Known::Lost,
                LastRevision::Known(revision, files) => Known::Revision(Accepted {
                    version: revision.manifest_version,
                    digest: revision.whole_digest,
                    since: revision.in_force_from,
                    is_stop: revision.taken_as == TakenAs::Stop,
                    files,
                }),
            },
        }
    }
}

impl Last {
    /// The revision, if it is known.
    pub(super) const fn revision(&self) -> Option<&Accepted> {
        match &self.what {
            Known::Revision(accepted) => Some(accepted),
            Known::Nothing | Known::Lost => None,
        }
    }

    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.what, Known::Lost)
    }

    /// Whether a folder may follow it.
    pub(super) fn check_version(&self, digest: &str, version: Option<u64>) -> Result<(), String> {
        let Some(last) = self.revision() else {
            return Ok(());
        };
        let Some(before) = last.version else {
            return Ok(());
        };
        let held = "write a newer one with `charter policy manifest`; to go back, restore the \
                    older files and list them under a newer version, as `charter policy rollback` does";
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

impl AcceptedStore {
    /// `approvals` is how many people must approve.
    pub(super) fn new(
        data_dir: &Path,
        keys: &Keys,
        approvals: usize,
        store: Option<Arc<Store>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "the settings refuse an empty list of keys"
        )]
        let key = keys.audit.first().expect("an audit key");
        Self {
            store,
            clock,
            approvals,
            proofs: data_dir.join("policies").join("proofs"),
            proofs_key: mac(&mac(key.expose(), LABEL), b"proofs"),
            last: Mutex::new(None),
            unwritten: Mutex::default(),
        }
    }

    /// Where proofs are kept, and the key that vouches for them.
    pub(super) fn proofs(&self) -> (&Path, [u8; 32]) {
        (&self.proofs, self.proofs_key)
    }

    /// What was in force last: as this process knows it, whatever others write, or as the database
    /// has it.
    pub(super) async fn last(&self) -> Result<Arc<Last>, Error> {
        if let Some(last) = self.last.lock().clone() {
            return Ok(last);
        }
        let last = match &self.store {
            Some(store) => Last::from(store.last_policy_revision().await?),
            None => Last {
                base: None,
                what: Known::Nothing,
            },
        };
        let last = Arc::new(last);
        *self.last.lock() = Some(Arc::clone(&last));
        Ok(last)
    }

    /// Records what is in force. What cannot be written counts for this process, and is kept for
    /// another try.
    pub(super) async fn accept(&self, new: NewPolicyRevision) -> Result<(), Error> {
        let accepted = Accepted {
            version: new.manifest_version,
            digest: new.whole_digest.clone(),
            since: new.in_force_from,
            is_stop: new.taken_as == TakenAs::Stop,
            files: new.files.clone(),
        };
        *self.last.lock() = Some(Arc::new(Last {
            base: None,
            what: Known::Revision(accepted),
        }));
        self.unwritten.lock().push_back(new);
        self.write().await
    }

    /// Whether there is something that could not be written.
    pub(super) fn is_behind(&self) -> bool {
        !self.unwritten.lock().is_empty()
    }

    /// Writes what is not written yet.
    pub(super) async fn write(&self) -> Result<(), Error> {
        let by = provision::system(&*self.clock);
        loop {
            let Some(new) = self.unwritten.lock().front().cloned() else {
                return Ok(());
            };
            let store = self.store.as_ref().ok_or_else(|| {
                Error::Setup("there is no database that could record the policies".to_owned())
            })?;
            let sequence = store.accept_policies(&new, &by).await?;
            let mut unwritten = self.unwritten.lock();
            unwritten.pop_front();
            if unwritten.is_empty()
                && let Some(last) = self.last.lock().as_mut()
            {
                Arc::make_mut(last).base = Some(sequence);
            }
        }
    }

    /// Whether enough people answer for this folder in the place of what was in force last. What
    /// cannot be read approves nothing.
    pub(super) async fn is_approved(&self, digest: &str, last: &Last) -> bool {
        let (Some(base), Some(store)) = (last.base, &self.store) else {
            return false;
        };
        match store.approvals_of(digest, base).await {
            Ok(approvals) => {
                let people: BTreeSet<String> = approvals
                    .iter()
                    .map(|approval| person(&approval.approved_by))
                    .collect();
                people.len() >= self.approvals
            }
            Err(error) => {
                tracing::warn!(%error, "approvals cannot be read, nothing is approved");
                false
            }
        }
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.chain_update(text).finalize().into_bytes().into()
}
