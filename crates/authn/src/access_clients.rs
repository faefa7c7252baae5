//! Programs that call the policy decision point, such as gateways: each has its own token in the settings (contract
//! section 7).

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use charter_store::{self as store, ChangeFeed, EntityRef, Store, TenantReader};

use crate::credentials::{Credentials, Scheme};
use crate::rejection::Rejection;

/// The name of a client that uses the operators' token.
pub const OPERATOR: &str = "operator";

/// A token of the settings and its client.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// Names the client in logs and binds its page tokens.
    pub name: String,
    pub secret: SecretString,
}

/// Checks clients' tokens. Stores hashes only.
pub struct AccessClients {
    store: Arc<Store>,
    clients: Vec<KnownToken>,
    operator: Option<KnownToken>,
}

struct KnownToken {
    name: Arc<str>,
    hash: [u8; 32],
}

/// An authenticated client; it may ask about every tenant.
#[derive(Debug, Clone)]
pub struct AccessClient<'a> {
    name: Arc<str>,
    store: &'a Store,
}

impl AccessClients {
    /// `operator` is the token of operators' programs, which may ask on the operations listener.
    #[must_use]
    pub fn new(store: Arc<Store>, tokens: &[AccessToken], operator: Option<&SecretString>) -> Self {
        let known = |name: &str, secret: &SecretString| KnownToken {
            name: name.into(),
            hash: hash(secret.expose_secret()),
        };
        Self {
            store,
            clients: tokens
                .iter()
                .map(|token| known(&token.name, &token.secret))
                .collect(),
            operator: operator.map(|secret| known(OPERATOR, secret)),
        }
    }

    /// Compares hashes with all known ones in constant time, so that neither a token's prefix nor its position in the
    /// settings can be timed.
    ///
    /// # Errors
    ///
    /// [`Rejection`]; without tokens in the settings every request is refused.
    pub fn authenticate(
        &self,
        credentials: &Credentials<'_>,
        accept_operator: bool,
    ) -> Result<AccessClient<'_>, Rejection> {
        if credentials.scheme()? != Scheme::Bearer {
            return Err(Rejection::MalformedAuthorization(
                "write `Bearer {access token}`".to_owned(),
            ));
        }
        let shown = hash(credentials.bearer()?);
        let operator = self.operator.iter().filter(|_| accept_operator);
        let mut found = None;
        for known in self.clients.iter().chain(operator) {
            if bool::from(known.hash.ct_eq(&shown)) {
                found = Some(Arc::clone(&known.name));
            }
        }
        let name = found.ok_or(Rejection::InvalidToken)?;
        Ok(AccessClient {
            name,
            store: &self.store,
        })
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl<'a> AccessClient<'a> {
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells how long what was read of a tenant is current.
    #[must_use]
    pub fn changes(&self) -> &'a dyn ChangeFeed {
        self.store.changes()
    }

    /// The tenant of what the client asks about.
    ///
    /// # Errors
    ///
    /// The store's; `NotFound` if the object does not exist.
    pub async fn tenant_of(&self, named: EntityRef) -> Result<TenantReader<'a>, store::Error> {
        Ok(self.store.within(self.store.locate(named).await?))
    }
}
