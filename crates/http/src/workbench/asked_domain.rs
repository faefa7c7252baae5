//! The domain of a workbench request: the built-in one or one's own.

use std::sync::Arc;

use charter_authz::custom_domain::CustomDomain;
use charter_authz::folder::Files;

use crate::extract::query::Query;
use crate::respond::{ApiError, Detail, echo};
use crate::state::{DomainState, State};

use super::sent_folder::refused;

/// The policies in force of a domain.
pub(super) struct AskedDomain {
    /// `None` is the built-in one.
    pub(super) name: Option<String>,
    /// The files in force.
    pub(super) files: Arc<Files>,
}

impl AskedDomain {
    /// # Errors
    ///
    /// As [`own`].
    pub(super) fn find(name: Option<String>, state: &State) -> Result<Self, ApiError> {
        let files = match &name {
            None => Arc::clone(&state.engine.health().files),
            Some(name) => Arc::clone(&in_force(name, state)?.1.health.files),
        };
        Ok(Self { name, files })
    }
}

/// The parameter `domain`; `None` is the built-in one. An empty name is neither.
pub(super) fn parameter(query: &mut Query) -> Result<Option<String>, ApiError> {
    query.parsed("domain", |name| match name {
        "" => Err("must be the name of a domain; leave it out for the built-in one"),
        name => Ok(name.to_owned()),
    })
}

/// A domain of one's own, with or without policies in force.
///
/// # Errors
///
/// `VALIDATION_FAILED` if there is no such domain.
pub(super) fn custom(name: &str, state: &State) -> Result<DomainState, ApiError> {
    state.domains.get(name).ok_or_else(|| {
        let rule = format!("there is no domain {}", echo(name));
        refused(vec![Detail::new("/domain", rule)])
    })
}

/// The same with its policies in force.
///
/// # Errors
///
/// The same, and `UNAVAILABLE` if it has no policies in force.
pub(super) fn in_force(
    name: &str,
    state: &State,
) -> Result<(Arc<CustomDomain>, DomainState), ApiError> {
    let found = custom(name, state)?;
    let domain = found.in_force.clone().ok_or_else(|| {
        let why = format!("the domain {} has no policies in force", echo(name));
        ApiError::unavailable(why, 1)
    })?;
    Ok((domain, found))
}
