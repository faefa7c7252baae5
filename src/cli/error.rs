//! Why a command could not do its work.

use std::io;

use super::request;
use crate::app::StartError;
use crate::settings::error::SettingsError;
use crate::telemetry;
use charter_authn::users::link_mails::NotSealed;
use charter_policy::solver::SolverError;
use charter_store as store;

/// A rule refuses it, or something was found.
const REFUSED: u8 = 1;
/// It could not be done.
const IMPOSSIBLE: u8 = 2;

/// Why a command could not do its work; its text is one paragraph that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A signed request could not be made or sent.
    #[error(transparent)]
    Request(#[from] request::RequestError),
    /// The settings are wrong or incomplete.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The service, or an operator's command, could not start.
    #[error(transparent)]
    Start(StartError),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The schema is not this program's.
    #[error("the database's schema is not up to date: run `charter migrate up` first")]
    NotMigrated,
    /// Data would be destroyed that nobody said may go.
    #[error(
        "`migrate down` drops tables with all their data: make a copy of the database, then say `--yes`"
    )]
    Unconfirmed,
    /// An argument names an organization that is not there.
    #[error("there is no organization `{0}`; `charter organization list` shows all")]
    NoSuchOrganization(String),
    /// An argument names a person who is not there.
    #[error("nobody has the address `{0}`; `charter user list ORGANIZATION` shows all of one")]
    NoSuchUser(String),
    /// Who is to be invited has a place already.
    #[error("`{0}` is a member already: `charter user set-role` gives it another role")]
    AlreadyMember(String),
    /// Who is to be invited is somebody elsewhere.
    #[error(
        "`{0}` belongs to somebody of organization {1}, and an address to one person: invite another address"
    )]
    BelongsElsewhere(String, String),
    /// The organization is deactivated.
    #[error("organization `{0}` is deactivated: run `charter organization reactivate` first")]
    Deactivated(String),
    /// It would be left without an owner.
    #[error(
        "`{0}` is the organization's only owner: make another one first, with `charter user set-role` or \
         `charter user invite`"
    )]
    LastOwner(String),
    /// The policies do not know a role.
    #[error("there is no role `{0}`; the schema has {1}")]
    NoSuchRole(String, String),
    /// The invitation could not be made.
    #[error(transparent)]
    Invitation(#[from] NotSealed),
    /// An argument names a key that is not there.
    #[error("there is no access key `{0}`; `charter key list ORGANIZATION` shows all of one")]
    NoSuchKey(String),
    /// An argument names something that the organization does not have.
    #[error("organization `{organization}` has no such {what}")]
    NotInOrganization {
        /// As the argument names it.
        organization: String,
        /// What was looked for.
        what: &'static str,
    },
    /// The service would not start; the text is all that keeps it from it.
    #[error("{0}")]
    CannotStart(String),
    /// A policy folder does not hold; the text is the whole report.
    #[error("{0}")]
    Policies(String),
    /// No solver can be asked.
    #[error(transparent)]
    Solver(#[from] SolverError),
    /// A candidate could not be led through the gates.
    #[error("the checks cannot be made: {0}")]
    Gate(#[from] serde_json::Error),
    /// A decision log cannot be read.
    #[error("the decision log `{0}` cannot be read: {1}")]
    DecisionLog(std::path::PathBuf, io::Error),
    /// Logging could not be started.
    #[error(transparent)]
    Log(#[from] telemetry::log::Error),
    /// Metrics could not be started.
    #[error(transparent)]
    Metrics(#[from] telemetry::metrics::Error),
    /// Spans could not be exported.
    #[error(transparent)]
    Traces(#[from] telemetry::traces::Error),
    /// The value of an argument breaks a rule.
    #[error("`{name}` {rule}")]
    Argument {
        /// The argument.
        name: &'static str,
        /// The rule.
        rule: String,
    },
    /// What an argument asks for is refused as things are.
    #[error("`{name}` {reason}")]
    Refused {
        /// The argument.
        name: &'static str,
        /// Why.
        reason: String,
    },
    /// Something was changed, and standard output took no answer.
    #[error(
        "it is done, but its answer could not be printed: {0}; look at what there is now before you do it again"
    )]
    Unprinted(io::Error),
    /// The terminal, a signal or the runtime.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a rule refuses is no fault of the database.
impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Database(error) if error.is_refusal() => Self::Store(error),
            error => Self::Start(error),
        }
    }
}

impl Error {
    /// The exit code: 1 where a rule refuses what could have been done, 2 where it could not be done at
    /// all, as with settings, a database or files that are not as they must be.
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
            | Self::NotInOrganization { .. }
            | Self::Refused { .. } => REFUSED,
            Self::Store(error) if error.is_refusal() => REFUSED,
            _ => IMPOSSIBLE,
        }
    }

    pub(super) fn refused(name: &'static str, reason: impl Into<String>) -> Self {
        Self::Refused {
            name,
            reason: reason.into(),
        }
    }

    pub(super) fn argument(name: &'static str, rule: impl std::fmt::Display) -> Self {
        Self::Argument {
            name,
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
            StartError::ReplayStore.into(),
            StartError::Database(store::Error::Setup(text())).into(),
            Error::DecisionLog("log".into(), io::ErrorKind::NotFound.into()),
            Error::Io(io::ErrorKind::StorageFull.into()),
        ];
        for error in &impossible {
            assert_eq!(error.exit_code(), 2, "{error:?}");
        }
    }
}
