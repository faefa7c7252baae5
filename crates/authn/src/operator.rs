//! Operators' programs, which show a token from the settings (contract section 6).

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use charter_store::{self as store, EntityRef, Store, TenantReader};

use crate::credentials::{Credentials, Scheme};
use crate::rejection::Rejection;

/// Checks the token that operators' programs show.
pub struct Operators {
    store: Arc<Store>,
    /// `None` lets nobody in.
    token: Option<SecretString>,
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
    /// [`Rejection`]; with no token in the settings nobody is let in.
    pub fn authenticate(&self, credentials: &Credentials<'_>) -> Result<Operator<'_>, Rejection> {
        if credentials.scheme()? != Scheme::Bearer {
            return Err(Rejection::MalformedAuthorization(
                "write `Bearer {operator token}`".to_owned(),
            ));
        }
        let shown = credentials.bearer()?;
        // What can be timed is where the hashes differ, and that tells nothing of the token.
        let hash = |text: &str| Sha256::digest(text.as_bytes());
        match &self.token {
            Some(expected) if hash(shown) == hash(expected.expose_secret()) => {
                Ok(Operator(&self.store))
            }
            Some(_) | None => Err(Rejection::InvalidToken),
        }
    }
}

impl<'a> Operator<'a> {
    /// The tenant of what the operator names.
    ///
    /// # Errors
    ///
    /// The store's; `NotFound` if there is no such thing.
    pub async fn tenant_of(&self, named: EntityRef) -> Result<TenantReader<'a>, store::Error> {
        Ok(self.0.within(self.0.locate(named).await?))
    }
}
