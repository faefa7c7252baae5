//! What operators' commands share: settings, the database and a clock, without a server.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::app::{self, Missing, StartError, provision};
use crate::settings::Settings;
use crate::settings::error::SettingsError;
use charter_authn::signed::mint::KeyMint;
use charter_authn::users::link_mails::LinkMails;
use charter_domain::audit::AuditContext;
use charter_domain::clock::{Clock, SystemClock};
use charter_domain::entropy::{Entropy, OsEntropy};
use charter_domain::organization::Organization;
use charter_store::{self as store, EntityRef, Store, TenantReader, TenantWriter};

use super::Error;

/// Where the settings come from; the same for every command.
#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// A settings file over the built-in defaults; `CHARTER__SECTION__KEY` overrides both
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use the keys that `serve --demo` made in the data directory
    #[arg(long)]
    demo: bool,
}

/// An operator at work on the database.
pub(super) struct Operator {
    /// The settings.
    pub(super) settings: Settings,
    /// The database.
    pub(super) store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl SettingsArgs {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// All their faults.
    pub(super) fn load(&self) -> Result<Settings, Error> {
        Ok(Settings::load(self.config.as_deref(), self.demo)?)
    }

    /// Reads the settings for somebody who only wants to know: the demo's keys are not made.
    ///
    /// # Errors
    ///
    /// All their faults.
    pub(super) fn preview(&self) -> Result<Settings, SettingsError> {
        Settings::preview(self.config.as_deref(), self.demo)
    }

    /// Does an operator's work on a database whose schema is up to date.
    ///
    /// # Errors
    ///
    /// The settings' faults, the database's, migrations are pending, the keys are another
    /// database's, or the work's own.
    pub(super) fn operate<T>(
        &self,
        work: impl AsyncFnOnce(&Operator) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.operate_where(Missing::IsAFault, async |operator| {
            let status = operator.store.migration_status().await?;
            if !status.iter().all(|migration| migration.applied) {
                return Err(Error::NotMigrated);
            }
            let keys = operator.settings.require_keys().map_err(StartError::from)?;
            app::check_keys(&operator.store, keys).await?;
            work(operator).await
        })
    }

    /// Does an operator's work on the database as it is, and leaves it in one file where it is one.
    ///
    /// # Errors
    ///
    /// The settings' faults, the database's, or the work's own.
    pub(super) fn operate_on_any_schema<T>(
        &self,
        work: impl AsyncFnOnce(&Operator) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.operate_where(Missing::IsMade, work)
    }

    fn operate_where<T>(
        &self,
        missing: Missing,
        work: impl AsyncFnOnce(&Operator) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let settings = self.load()?;
        block_on(async {
            let operator = Operator::connect(settings, missing).await?;
            let outcome = work(&operator).await;
            // A change comes before its answer.
            let has_changed = operator.store.changes().epoch() > 0;
            operator.store.close().await;
            match outcome {
                Err(Error::Io(error)) if has_changed => Err(Error::Unprinted(error)),
                outcome => outcome,
            }
        })
    }
}

impl Operator {
    async fn connect(settings: Settings, missing: Missing) -> Result<Self, Error> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let keys = settings.require_keys().map_err(StartError::from)?;
        let store = app::open_store(&settings, keys, &clock, &entropy, missing).await?;
        Ok(Self {
            settings,
            store,
            clock,
            entropy,
        })
    }

    /// The organization that an argument names by id, code or slug.
    ///
    /// # Errors
    ///
    /// There is none, or the database's faults.
    pub(super) async fn organization(&self, named: &str) -> Result<Organization, Error> {
        match self.store.find_organization(named).await {
            Err(store::Error::NotFound) => Err(Error::NoSuchOrganization(named.to_owned())),
            other => Ok(other?),
        }
    }

    /// The tenant of what the command names.
    ///
    /// # Errors
    ///
    /// The database's faults.
    pub(super) async fn reader(&self, named: EntityRef) -> Result<TenantReader<'_>, Error> {
        Ok(self.store.within(self.store.locate(named).await?))
    }

    /// The same, to change it in the operator's name.
    ///
    /// # Errors
    ///
    /// The database's faults.
    pub(super) async fn writer(&self, named: EntityRef) -> Result<TenantWriter<'_>, Error> {
        let scope = self.store.locate(named).await?;
        Ok(self.store.write_within(scope, self.audit_context()))
    }

    /// Who is on record for what the command does.
    #[must_use]
    pub(super) fn audit_context(&self) -> AuditContext {
        provision::operator(&*self.clock)
    }

    /// Makes access keys.
    ///
    /// # Errors
    ///
    /// No sealing key.
    pub(super) fn mint(&self) -> Result<KeyMint, Error> {
        let keys = self.settings.require_keys().map_err(StartError::from)?;
        let sealer = Arc::new(app::sealer(keys)?);
        Ok(KeyMint::new(
            sealer,
            Arc::clone(&self.clock),
            Arc::clone(&self.entropy),
        ))
    }

    /// Makes links in mails.
    ///
    /// # Errors
    ///
    /// The settings do not say where they lead; no sealing key.
    pub(super) fn links(&self) -> Result<LinkMails, Error> {
        let keys = self.settings.require_keys().map_err(StartError::from)?;
        Ok(app::link_mails(
            &self.settings,
            keys,
            &self.clock,
            &self.entropy,
        )?)
    }
}

/// Runs a command's work on a small runtime of its own.
///
/// # Errors
///
/// The work's own, or no runtime could be made.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
