//! Errors of commands.

use std::borrow::Cow;
use std::io;

use super::{proxy, request};
use crate::app::{StartError, advised};
use crate::settings::error::SettingsError;
use crate::telemetry;
use charter_authn::users::link_mails::NotSealed;
use charter_authz::fault::LoadError;
use charter_policy::solver::SolverError;
use charter_store as store;

/// Exit code of refusals and findings.
const REFUSED: u8 = 1;
/// Exit code of failures.
const IMPOSSIBLE: u8 = 2;

/// Each text is one paragraph that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Request(#[from] request::RequestError),
    #[error(transparent)]
    Proxy(#[from] proxy::ProxyError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Start(StartError),
    #[error("{}", advised(.0))]
    Store(#[from] store::Error),
    #[error("the database's schema is not up to date: run `charter migrate up` first")]
    NotMigrated,
    /// Data would be destroyed without confirmation.
    #[error(
        "`migrate down` drops tables with all their data: make a copy of the database, then say `--yes`"
    )]
    Unconfirmed,
    #[error("there is no organization `{0}`; `charter organization list` lists all")]
    NoSuchOrganization(String),
    #[error(
        "no user has the address `{0}`; `charter user list ORGANIZATION` lists an organization's users"
    )]
    NoSuchUser(String),
    /// The invited user is a member already.
    #[error("`{0}` is a member already: `charter user set-role` gives it another role")]
    AlreadyMember(String),
    /// The invited user belongs to another organization.
    #[error(
        "`{0}` is the address of a user of organization {1}, and each address has one user: invite another address"
    )]
    BelongsElsewhere(String, String),
    #[error("organization `{0}` is deactivated: run `charter organization reactivate` first")]
    Deactivated(String),
    #[error(
        "`{0}` is the organization's only owner: make another one first, with `charter user set-role` or \
         `charter user invite`"
    )]
    LastOwner(String),
    #[error("there is no role `{0}`; the schema has {1}")]
    NoSuchRole(String, String),
    #[error(transparent)]
    Invitation(#[from] NotSealed),
    #[error(
        "there is no access key `{0}`; `charter key list ORGANIZATION` lists an organization's keys"
    )]
    NoSuchKey(String),
    #[error("organization `{organization}` has no such {what}")]
    NotInOrganization {
        organization: String,
        what: &'static str,
    },
    /// What does not prevent a start, and makes it refuse requests.
    #[error("the service would start and refuse requests:\n- {0}")]
    Findings(String),
    /// The faults that prevent a start.
    #[error("{0}")]
    CannotStart(String),
    /// The report of a faulty policy folder.
    #[error("{0}")]
    Policies(String),
    #[error(transparent)]
    Solver(#[from] SolverError),
    #[error("the checks cannot be made: {0}")]
    Gate(#[from] serde_json::Error),
    #[error("the decision log `{0}` cannot be read: {1}")]
    DecisionLog(std::path::PathBuf, io::Error),
    #[error(transparent)]
    Log(#[from] telemetry::log::Error),
    #[error(transparent)]
    Metrics(#[from] telemetry::metrics::Error),
    #[error(transparent)]
    Traces(#[from] telemetry::traces::Error),
    /// The argument's value is invalid. The name is an option's, or the value of an argument without one.
    #[error("`{name}` {rule}")]
    Argument {
        name: Cow<'static, str>,
        rule: String,
    },
    /// The current state does not allow the change.
    #[error("`{name}` {reason}")]
    Refused {
        name: Cow<'static, str>,
        reason: String,
    },
    #[error(
        "`{0}` cannot be written: {1}; run the command again, as a user who may write the folder and all that is in it"
    )]
    Unwritable(std::path::PathBuf, io::Error),
    /// Something was changed, but the output could not be written.
    #[error(
        "the change was made, but the output could not be printed: {0}; check the current state before you retry"
    )]
    Unprinted(io::Error),
    /// The terminal, a signal or the runtime failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Refusals are separated from failures of the database.
impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Database(error) if error.is_refusal() => Self::Store(error),
            error => Self::Start(error),
        }
    }
}

impl From<LoadError> for Error {
    fn from(faults: LoadError) -> Self {
        Self::Policies(faults.report())
    }
}

impl Error {
    /// 1 if a rule refuses the operation, 2 if it cannot be done at all, for example because of settings, the
    /// database or files.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unconfirmed
            | Self::NoSuchOrganization(_)
            | Self::NoSuchUser(_)
            | Self::AlreadyMember(_)
            | Self::BelongsElsewhere(..)
            | Self::Deactivated(_)
            | Self::LastOwner(_)
            | Self::NoSuchRole(..)
            | Self::NoSuchKey(_)
            | Self::Findings(_)
            | Self::NotInOrganization { .. }
            | Self::Refused { .. } => REFUSED,
            Self::Store(error) if error.is_refusal() => REFUSED,
            _ => IMPOSSIBLE,
        }
    }

    /// Whether the reader of standard output has closed it.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        use proxy::ProxyError;
        use request::RequestError;
        let (Self::Io(error)
        | Self::Request(RequestError::Unprinted(_, error) | RequestError::Output(error))
        | Self::Proxy(ProxyError::Io(error))) = self
        else {
            return false;
        };
        error.kind() == io::ErrorKind::BrokenPipe
    }

    pub(super) fn refused(name: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self::Refused {
            name: name.into(),
            reason: reason.into(),
        }
    }

    pub(super) fn argument(
        name: impl Into<Cow<'static, str>>,
        rule: impl std::fmt::Display,
    ) -> Self {
        Self::Argument {
            name: name.into(),
            rule: rule.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_refuse_with_1_and_what_cannot_be_done_is_2() {
        let text = || "a".to_owned();
        let refused = [
            Error::Unconfirmed,
            Error::NoSuchOrganization(text()),
            Error::NoSuchUser(text()),
            Error::AlreadyMember(text()),
            Error::BelongsElsewhere(text(), text()),
            Error::Deactivated(text()),
            Error::LastOwner(text()),
            Error::NoSuchRole(text(), text()),
            Error::NoSuchKey(text()),
            Error::Findings(text()),
            Error::NotInOrganization {
                organization: text(),
                what: "key",
            },
            Error::refused("DIGEST", "is in force already"),
            Error::Store(store::Error::SlugTaken),
            Error::Store(store::Error::Ambiguous(text())),
            Error::Store(store::Error::InUse),
            StartError::Database(store::Error::OrganizationInactive).into(),
        ];
        for error in &refused {
            assert_eq!(error.exit_code(), 1, "{error:?}");
        }
        let impossible = [
            Error::NotMigrated,
            Error::argument("--slug", "is empty"),
            Error::CannotStart(text()),
            Error::Policies(text()),
            Error::Store(store::Error::SchemaTooNew(text())),
            Error::Store(store::Error::Unavailable("down".into())),
            Error::Store(store::Error::Corrupt(text())),
            Error::Store(store::Error::Unusable(text())),
            StartError::Database(store::Error::Setup(text())).into(),
            Error::DecisionLog("log".into(), io::ErrorKind::NotFound.into()),
            Error::Io(io::ErrorKind::StorageFull.into()),
        ];
        for error in &impossible {
            assert_eq!(error.exit_code(), 2, "{error:?}");
        }
    }
}
