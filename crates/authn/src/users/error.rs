//! Why a request of a person was refused.

use charter_budgets::Exhausted;
use charter_store as store;

use crate::limits::{AttemptError, Exceeded};
use crate::secrets::password_pool::PoolError;
use crate::users::link_mails::NotSealed;

/// Why a request of a person was refused.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Unknown, disabled and wrong are not told apart.
    #[error("the e-mail address or the password is wrong")]
    InvalidLogin,
    /// The password that a signed-in person gave is not its own.
    #[error("the password is wrong")]
    WrongPassword,
    /// The refresh token is nobody's (any more).
    #[error("the refresh token is not valid")]
    InvalidToken,
    /// The link is unknown, used or expired, or who follows it has not shown to be its person.
    #[error("the link is not valid")]
    InvalidLink,
    /// Nobody may register by itself.
    #[error("registration is closed")]
    RegistrationClosed,
    /// Too many tries.
    #[error("too many tries")]
    TooMany(Exceeded),
    /// The organization sends or hashes too much.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// Too much is going on.
    #[error("too many others wait to sign in")]
    Busy,
    /// The store's.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The inside is broken.
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

/// An invalid link, whatever made it so.
pub(super) fn invalid_link(error: store::Error) -> UserError {
    match error {
        store::Error::InvalidLink | store::Error::NotFound => UserError::InvalidLink,
        other => other.into(),
    }
}
