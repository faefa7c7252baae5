//! Errors that prevent a start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::settings::error::SettingsError;
use charter_authn::secrets::{access_token, password, password_pool};
use charter_authn::{nonces, secrets};
use charter_decision_log as decision_log;
use charter_domain::causes::with_causes;
use charter_domain::slug::SlugError;
use charter_mail as mail;
use charter_store as store;
use charter_system::private::DataDirError;

/// Why the service, or an operator's command, did not start; the text is one paragraph for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The text shows the faults with file, line and caret.
    #[error("the policies cannot be loaded\n{0}")]
    Policies(String),
    #[error("the database cannot be used: {}", advised(.0))]
    Database(#[from] store::Error),
    /// The keys of the settings are not those of the database.
    #[error(
        "the keys in {0} do not belong to this database: {1}; put the right ones into the settings, or set \
         `database.url` to their database"
    )]
    ForeignKeys(String, String),
    #[error("the replay guard cannot be opened: {}", with_causes(.0))]
    Replay(#[from] nonces::OpenError),
    #[error("the decision log cannot be opened: {}; see `decisions.dir`", with_causes(.0))]
    DecisionLog(#[from] decision_log::OpenError),
    /// A mask names no field of a record.
    #[error("`decisions.mask`: {0}")]
    Mask(#[from] decision_log::UnknownField),
    /// A mask matches no record; the second is the most similar field.
    #[error("`decisions.mask`: `{0}` is nothing that the schema declares; is `{1}` meant?")]
    Unmatched(String, String),
    #[error("the policies of `policies.shadow` cannot be loaded\n{0}")]
    Shadow(String),
    /// A sealing key is missing.
    #[error(transparent)]
    Seal(#[from] secrets::SealError),
    #[error(transparent)]
    Password(#[from] password::HashError),
    #[error("passwords cannot be hashed: {0}")]
    PasswordPool(#[from] password_pool::PoolError),
    #[error("{0}; make another with `charter keys generate`")]
    TokenKey(#[from] access_token::KeyError),
    #[error("`{0}` is not a web address: {1}; set `portal.base_url`")]
    BaseUrl(String, url::ParseError),
    #[error("links need the address that people reach the service at: set `portal.base_url`")]
    NoBaseUrl,
    /// The sender's address, or a template.
    #[error(transparent)]
    Mail(#[from] mail::ComposeError),
    #[error("`mail.smtp_url` cannot be used: {}", with_causes(.0))]
    MailServer(#[from] mail::TransportError),
    /// The demo's slug is invalid: a defect.
    #[error("the demo's slug {0}")]
    DemoSlug(SlugError),
    /// The data directory cannot be created, or others can write to it.
    #[error("the data directory cannot be used: {}; see `data_dir`", with_causes(.0))]
    DataDir(#[from] DataDirError),
    #[error("`{0}` cannot be written: {1}")]
    Write(PathBuf, io::Error),
    #[error(
        "`{0}` cannot be listened on: {1}; set `server.listen` and `server.ops_listen` to free addresses"
    )]
    Listen(SocketAddr, io::Error),
}

impl StartError {
    /// The address, if the error is that it is in use.
    pub(super) fn address_in_use(&self) -> Option<SocketAddr> {
        match self {
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                Some(*address)
            }
            _ => None,
        }
    }
}

/// An error of the database with its cause, and what to do about it.
#[must_use]
pub fn advised(error: &store::Error) -> String {
    let text = error.with_cause();
    match error.advice() {
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let fault = nonces::RedisFault::Unfit("it is a cluster".to_owned());
        let error = nonces::OpenError::from(nonces::Disagreement::from(fault));
        let told = StartError::from(error).to_string();
        assert_eq!(told.matches("it is a cluster").count(), 1, "{told}");
        let error = DataDirError::Io("data".into(), io::ErrorKind::StorageFull.into());
        let told = StartError::from(error).to_string();
        assert_eq!(told.matches("no storage space").count(), 1, "{told}");
    }

    #[test]
    fn only_what_may_help_is_advised() {
        let down = store::Error::Unavailable("refused".into());
        let told = StartError::from(down).to_string();
        assert!(
            told.ends_with("refused; check `database.url` and that it is reachable"),
            "{told}"
        );
        let full = store::Error::Unusable("`data`: full".to_owned());
        assert!(StartError::from(full).to_string().ends_with("`data`: full"));
        assert_eq!(advised(&store::Error::SlugTaken), "the slug is taken");
    }
}
