//! Errors of the user service.

use charter_budgets::Exhausted;
use charter_store as store;

use crate::limits::{AttemptError, Exceeded};
use crate::secrets::password_pool::PoolError;
use crate::users::link_mails::NotSealed;

#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Unknown or disabled user, or wrong password: not distinguished.
    #[error("the e-mail address or the password is wrong")]
    InvalidLogin,
    /// A signed-in user gave a wrong current password.
    #[error("the password is wrong")]
    WrongPassword,
    #[error("the refresh token is not valid")]
    InvalidToken,
    /// The link is unknown, used or expired, or its user is not proved.
    #[error("the link is not valid")]
    InvalidLink,
    #[error("registration is closed")]
    RegistrationClosed,
    /// A limit is reached.
    #[error("too many tries")]
    TooMany(Exceeded),
    /// A budget of the organization is used up.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    #[error("too many others wait to sign in")]
    Busy,
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("{0}")]
    Internal(String),
}

impl From<Exceeded> for UserError {
    fn from(exceeded: Exceeded) -> Self {
        Self::TooMany(exceeded)
    }
}

impl From<AttemptError> for UserError {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::Exceeded(exceeded) => Self::TooMany(exceeded),
            AttemptError::Busy => Self::Busy,
        }
    }
}

impl From<PoolError> for UserError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Busy => Self::Busy,
            PoolError::Hash(_) | PoolError::Panicked | PoolError::NoThread(_) => internal(error),
        }
    }
}

impl From<NotSealed> for UserError {
    fn from(error: NotSealed) -> Self {
        internal(error)
    }
}

pub(super) fn internal(error: impl std::fmt::Display) -> UserError {
    UserError::Internal(error.to_string())
}

/// Maps `NotFound` to an invalid link.
pub(super) fn invalid_link(error: store::Error) -> UserError {
    match error {
        store::Error::InvalidLink | store::Error::NotFound => UserError::InvalidLink,
        other => other.into(),
    }
}
