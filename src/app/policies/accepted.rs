//! The accepted policies as this process knows them, ahead of a ledger that may be unreachable.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use charter_store::{Error, NewPolicyRevision, TakenAs};

use super::last_accepted::{AcceptedRevision, LastAccepted, LastRevisionState};
use super::ledger::PolicyLedger;

pub(super) struct AcceptedStore {
    ledger: Box<dyn PolicyLedger>,
    /// Number of required approvals.
    approvals: usize,
    /// What this process put in force last, recorded or not.
    last: Mutex<Option<Arc<LastAccepted>>>,
    /// Revisions that could not be recorded yet, oldest first.
    unwritten: Mutex<VecDeque<NewPolicyRevision>>,
}

impl AcceptedStore {
    /// `approvals` is the number of required approvals.
    pub(super) fn new(ledger: Box<dyn PolicyLedger>, approvals: usize) -> Self {
        Self {
            ledger,
            approvals,
            last: Mutex::new(None),
            unwritten: Mutex::default(),
        }
    }

    /// The last revision: this process's own if it has put one in force, else the ledger's.
    pub(super) async fn last(&self) -> Result<Arc<LastAccepted>, Error> {
        if let Some(last) = self.last.lock().clone() {
            return Ok(last);
        }
        let last = Arc::new(self.ledger.last().await?);
        *self.last.lock() = Some(Arc::clone(&last));
        Ok(last)
    }

    /// Records a revision that is in force. If that fails, the revision is kept in memory, and
    /// [`Self::write`] tries again.
    pub(super) async fn accept(&self, new: NewPolicyRevision) -> Result<(), Error> {
        let accepted = AcceptedRevision {
            version: new.manifest_version,
            digest: new.whole_digest.clone(),
            since: new.in_force_from,
            is_stop: new.taken_as == TakenAs::Stop,
            files: new.files.clone(),
        };
        *self.last.lock() = Some(Arc::new(LastAccepted {
            base: None,
            what: LastRevisionState::Revision(accepted),
        }));
        self.unwritten.lock().push_back(new);
        self.write().await
    }

    /// Whether revisions are waiting to be recorded.
    pub(super) fn has_unwritten(&self) -> bool {
        !self.unwritten.lock().is_empty()
    }

    /// Records the waiting revisions.
    pub(super) async fn write(&self) -> Result<(), Error> {
        loop {
            let Some(new) = self.unwritten.lock().front().cloned() else {
                return Ok(());
            };
            let sequence = self.ledger.accept(&new).await?;
            let mut unwritten = self.unwritten.lock();
            unwritten.pop_front();
            if unwritten.is_empty()
                && let Some(last) = self.last.lock().as_mut()
            {
                Arc::make_mut(last).base = Some(sequence);
            }
        }
    }

    /// Whether this folder is approved as the successor of `last`, or of what another replica has put
    /// in force since; or that is this very folder, and has used the approval. If approvals cannot be
    /// read, it is not.
    pub(super) async fn is_approved(&self, digest: &str, last: &LastAccepted) -> bool {
        let Some(base) = last.base else {
            return false;
        };
        let approved = self.is_approved_after(digest, base).await;
        approved.unwrap_or_else(|error| {
            tracing::warn!(%error, "approvals cannot be read, nothing is approved");
            false
        })
    }

    async fn is_approved_after(&self, digest: &str, base: i64) -> Result<bool, Error> {
        if self.ledger.approvers(digest, base).await?.len() >= self.approvals {
            return Ok(true);
        }
        let newest = self.ledger.newest().await?;
        if newest.sequence == base {
            return Ok(false);
        }
        Ok(newest.whole_digest.as_deref() == Some(digest)
            || self.ledger.approvers(digest, newest.sequence).await?.len() >= self.approvals)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use async_trait::async_trait;

    use charter_store::PolicyFiles;

    use super::super::ledger::{NewestRevision, NoLedger};
    use super::*;

    /// A ledger in memory that can be made unreachable.
    #[derive(Default)]
    struct MemoryLedger {
        is_down: Mutex<bool>,
        digests: Mutex<Vec<String>>,
        approvals: Mutex<Vec<(&'static str, i64, &'static str)>>,
    }

    impl MemoryLedger {
        fn check(&self) -> Result<(), Error> {
            if *self.is_down.lock() {
                return Err(Error::Setup("down".to_owned()));
            }
            Ok(())
        }
    }

    #[async_trait]
    impl PolicyLedger for Arc<MemoryLedger> {
        async fn last(&self) -> Result<LastAccepted, Error> {
            self.check()?;
            let digests = self.digests.lock();
            let revision = digests.last().map(|digest| AcceptedRevision {
                version: None,
                digest: digest.clone(),
                since: charter_domain::timestamp::latest(),
                is_stop: false,
                files: PolicyFiles::default(),
            });
            Ok(LastAccepted {
                base: Some(i64::try_from(digests.len()).expect("few")),
                what: revision.map_or(LastRevisionState::None, LastRevisionState::Revision),
            })
        }

        async fn newest(&self) -> Result<NewestRevision, Error> {
            self.check()?;
            let digests = self.digests.lock();
            Ok(NewestRevision {
                sequence: i64::try_from(digests.len()).expect("few"),
                whole_digest: digests.last().cloned(),
            })
        }

        async fn accept(&self, new: &NewPolicyRevision) -> Result<i64, Error> {
            self.check()?;
            let mut digests = self.digests.lock();
            digests.push(new.whole_digest.clone());
            Ok(i64::try_from(digests.len()).expect("few"))
        }

        async fn approvers(&self, digest: &str, base: i64) -> Result<BTreeSet<String>, Error> {
            self.check()?;
            let approvals = self.approvals.lock();
            let here = approvals.iter().filter(|it| (it.0, it.1) == (digest, base));
            Ok(here.map(|it| it.2.to_owned()).collect())
        }
    }

    fn revision(digest: &str) -> NewPolicyRevision {
        NewPolicyRevision {
            whole_digest: digest.to_owned(),
            policy_digest: digest.to_owned(),
            manifest_version: None,
            files: PolicyFiles::default(),
            taken_as: TakenAs::Edit,
            in_force_from: charter_domain::timestamp::latest(),
        }
    }

    #[tokio::test]
    async fn a_revision_counts_before_it_is_recorded() {
        let ledger = Arc::new(MemoryLedger::default());
        let store = AcceptedStore::new(Box::new(Arc::clone(&ledger)), 1);
        assert_eq!(store.last().await.expect("readable").base, Some(0));

        *ledger.is_down.lock() = true;
        store.accept(revision("a")).await.expect_err("down");
        store.accept(revision("b")).await.expect_err("down");
        let last = store.last().await.expect("known");
        let accepted = last.revision().expect("accepted");
        assert_eq!((accepted.digest.as_str(), last.base), ("b", None));
        assert!(store.has_unwritten());

        *ledger.is_down.lock() = false;
        store.write().await.expect("recorded");
        assert_eq!(*ledger.digests.lock(), ["a", "b"]);
        assert!(!store.has_unwritten());
        assert_eq!(store.last().await.expect("known").base, Some(2));
    }

    #[tokio::test]
    async fn approvals_count_people_for_one_folder_and_predecessor() {
        let ledger = Arc::new(MemoryLedger::default());
        let store = AcceptedStore::new(Box::new(Arc::clone(&ledger)), 2);
        let last = store.last().await.expect("readable");
        let approve = |digest, base, by| ledger.approvals.lock().push((digest, base, by));
        approve("a", 0, "ann");
        approve("a", 0, "ann");
        approve("a", 1, "bob");
        approve("b", 0, "bob");
        assert!(!store.is_approved("a", &last).await);
        approve("a", 0, "bob");
        assert!(store.is_approved("a", &last).await);

        *ledger.is_down.lock() = true;
        assert!(!store.is_approved("a", &last).await);
    }

    #[tokio::test]
    async fn a_folder_that_another_replica_has_put_in_force_is_approved_here() {
        let ledger = Arc::new(MemoryLedger::default());
        let one = AcceptedStore::new(Box::new(Arc::clone(&ledger)), 1);
        let other = AcceptedStore::new(Box::new(Arc::clone(&ledger)), 1);
        let last = other.last().await.expect("readable");
        assert!(!other.is_approved("a", &last).await);
        ledger.approvals.lock().push(("a", 0, "ann"));
        one.accept(revision("a")).await.expect("recorded");
        // The approval is used.
        ledger.approvals.lock().clear();
        assert!(other.is_approved("a", &last).await);
        assert!(!other.is_approved("b", &last).await);
        ledger.approvals.lock().push(("b", 1, "ann"));
        assert!(other.is_approved("b", &last).await);
    }

    #[tokio::test]
    async fn nothing_was_in_force_or_is_recorded_without_a_database() {
        let store = AcceptedStore::new(Box::new(NoLedger), 0);
        let last = store.last().await.expect("empty");
        assert!(last.revision().is_none() && !last.is_lost());
        assert!(!store.is_approved("a", &last).await);
        store.accept(revision("a")).await.expect_err("no database");
        assert!(store.has_unwritten());
    }
}
