//! Operators' programs, which use a token from the settings (contract section 6).

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use charter_store::{
    self as store, EntityRef, PolicyFiles, PolicyHistoryPage, PolicyRevision, Replica, Store,
    TenantReader,
};

use crate::credentials::{Credentials, Scheme};
use crate::rejection::Rejection;

/// Checks the operators' token.
pub struct Operators {
    store: Arc<Store>,
    /// `None` refuses every request.
    token: Option<SecretString>,
}

/// Proves that an operator was authenticated, by the token or a session.
#[derive(Debug, Clone, Copy)]
pub struct Admission(());

impl Admission {
    pub(crate) const fn by_session() -> Self {
        Self(())
    }
}

/// An operator; it may read every tenant.
#[derive(Debug)]
pub struct Operator<'a>(&'a Store);

impl Operators {
    pub const fn new(store: Arc<Store>, token: Option<SecretString>) -> Self {
        Self { store, token }
    }

    /// # Errors
    ///
    /// [`Rejection`]; without a token in the settings every request is refused.
    pub fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Operator<'_>, Rejection> {
        self.admit(credentials).map(|by| self.operator(by))
    }

    pub fn operator(&self, _: Admission) -> Operator<'_> {
        Operator(&self.store)
    }

    /// # Errors
    ///
    /// As [`Self::authenticate`].
    pub fn admit(&self, credentials: &Credentials<'_>) -> Result<Admission, Rejection> {
        if credentials.scheme()? != Scheme::Bearer {
            return Err(Rejection::MalformedAuthorization(
                "write `Bearer {operator token}`".to_owned(),
            ));
        }
        let shown = credentials.bearer()?;
        // Timing reveals only where the hashes differ.
        let hash = |text: &str| Sha256::digest(text.as_bytes());
        match &self.token {
            Some(expected) if hash(shown) == hash(expected.expose_secret()) => Ok(Admission(())),
            Some(_) | None => Err(Rejection::InvalidToken),
        }
    }
}

impl<'a> Operator<'a> {
    /// The tenant of the object that the operator names.
    ///
    /// # Errors
    ///
    /// The store's; `NotFound` if the object does not exist.
    pub async fn tenant_of(&self, named: EntityRef) -> Result<TenantReader<'a>, store::Error> {
        Ok(self.0.within(self.0.locate(named).await?))
    }

    /// At most `limit` revisions of a domain's policies before the one with this number, newest first. `None` is the
    /// built-in domain.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn policy_history(
        &self,
        domain: Option<&str>,
        before: Option<i64>,
        limit: u64,
    ) -> Result<PolicyHistoryPage, store::Error> {
        self.0.policy_history(domain, before, limit).await
    }

    /// The newest revision of a domain with this policy digest, and its texts; `None` if there is no such revision or
    /// it is not authentic.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn policies_of_digest(
        &self,
        domain: Option<&str>,
        digest: &str,
    ) -> Result<Option<(PolicyRevision, PolicyFiles)>, store::Error> {
        self.0.policies_of_digest(domain, digest).await
    }

    /// The processes that serve the database, the oldest first.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn replicas(&self) -> Result<Vec<Replica>, store::Error> {
        self.0.list_replicas().await
    }
}
