//! The durable record of a domain's accepted policies and their approvals.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use charter_domain::clock::Clock;
use charter_store::{Error, LastRevision, NewPolicyRevision, Store, normalized_approver};

use super::super::provision;
use super::last_accepted::LastAccepted;

#[derive(Default)]
pub(super) struct NewestRevision {
    /// 0 if there is none.
    pub(super) sequence: i64,
    /// `None` if the revision is not authentic.
    pub(super) whole_digest: Option<String>,
}

/// Records which policies were accepted and who approved them.
#[async_trait]
pub(super) trait PolicyLedger: Send + Sync {
    /// The last accepted revision.
    async fn last(&self) -> Result<LastAccepted, Error>;

    /// The last accepted revision, without its texts.
    async fn newest(&self) -> Result<NewestRevision, Error>;

    /// Records a revision as the successor of the last one and returns its sequence number.
    async fn accept(&self, new: &NewPolicyRevision) -> Result<i64, Error>;

    /// Who approved a folder as the successor of the revision `base`.
    async fn approvers(&self, whole_digest: &str, base: i64) -> Result<BTreeSet<String>, Error>;
}

/// The ledger in the database.
pub(super) struct DatabaseLedger {
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    /// `None` for the built-in one.
    pub(super) domain: Option<String>,
}

#[async_trait]
impl PolicyLedger for DatabaseLedger {
    async fn last(&self) -> Result<LastAccepted, Error> {
        let last = self.store.last_policy_revision(self.domain.as_deref());
        last.await.map(Into::into)
    }

    async fn newest(&self) -> Result<NewestRevision, Error> {
        let newest = self.store.newest_policy_revision(self.domain.as_deref());
        let newest = newest.await?;
        Ok(NewestRevision {
            sequence: newest.sequence(),
            whole_digest: match newest {
                LastRevision::Known(revision, ()) => Some(revision.whole_digest),
                _ => None,
            },
        })
    }

    async fn accept(&self, new: &NewPolicyRevision) -> Result<i64, Error> {
        let by = provision::system(&*self.clock);
        let domain = self.domain.as_deref();
        self.store.accept_policies(domain, new, &by).await
    }

    async fn approvers(&self, whole_digest: &str, base: i64) -> Result<BTreeSet<String>, Error> {
        let approvals = self.store.approvals_of(whole_digest, base).await?;
        let approvers = approvals
            .iter()
            .map(|it| normalized_approver(&it.approved_by));
        Ok(approvers.collect())
    }
}

/// An installation without a database: nothing was ever in force.
pub(super) struct NoLedger;

#[async_trait]
impl PolicyLedger for NoLedger {
    async fn last(&self) -> Result<LastAccepted, Error> {
        Ok(LastAccepted::none())
    }

    async fn newest(&self) -> Result<NewestRevision, Error> {
        Ok(NewestRevision::default())
    }

    async fn accept(&self, _: &NewPolicyRevision) -> Result<i64, Error> {
        let text = "there is no database that could record the policies";
        Err(Error::Setup(text.to_owned()))
    }

    async fn approvers(&self, _: &str, _: i64) -> Result<BTreeSet<String>, Error> {
        Ok(BTreeSet::new())
    }
}
