//! Operators' programs, which show a token from the settings (contract section 6).

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use charter_domain::caller::Scope;
use charter_domain::id::OrganizationId;

use crate::credentials::{Credentials, Scheme};
use crate::rejection::Rejection;

/// Proof that an operator asks; it opens every tenant, for reading.
#[derive(Debug)]
pub struct Operator(());

impl Operator {
    /// Checks the token that a request shows.
    ///
    /// # Errors
    ///
    /// [`Rejection`]; with no token in the settings nobody is let in.
    pub fn authenticate(
        credentials: &Credentials<'_>,
        expected: Option<&SecretString>,
    ) -> Result<Self, Rejection> {
        if credentials.scheme()? != Scheme::Bearer {
            return Err(Rejection::MalformedAuthorization(
                "write `Bearer {operator token}`".to_owned(),
            ));
        }
        let shown = credentials.bearer()?;
        // What can be timed is where the hashes differ, and that tells nothing of the token.
        let hash = |text: &str| Sha256::digest(text.as_bytes());
        match expected {
            Some(expected) if hash(shown) == hash(expected.expose_secret()) => Ok(Self(())),
            Some(_) | None => Err(Rejection::InvalidToken),
        }
    }

    /// That tenant's scope.
    #[must_use]
    pub const fn scope(&self, organization: OrganizationId) -> Scope {
        Scope::of_operator(organization)
    }
}
