//! Shared by operators' commands: settings, database and clock, without a server.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

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
use super::output::OutputArgs;

/// The source of the settings, the same for every command.
#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// A settings file over the built-in defaults; `CHARTER__SECTION__KEY` overrides both
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use the keys that `serve --demo` made in the data directory
    #[arg(long, global = true)]
    demo: bool,
}

/// The arguments of a group of operators' commands.
#[derive(Debug, Args)]
pub(super) struct OperatorArgs<C: Subcommand> {
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(subcommand)]
    pub(super) command: C,
}

/// The context of an operator's command.
pub(super) struct Operator {
    pub(super) settings: Settings,
    pub(super) store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl SettingsArgs {
    /// The error has all faults of the settings.
    pub(super) fn load(&self) -> Result<Settings, Error> {
        Ok(Settings::load(self.config.as_deref(), self.demo)?)
    }

    /// Reads the settings without creating the demo's keys, for commands that only inspect.
    pub(super) fn preview(&self) -> Result<Settings, SettingsError> {
        Settings::preview(self.config.as_deref(), self.demo)
    }

    /// Runs a command on a database whose schema is up to date.
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

    /// Runs a command on a database with any schema. On SQLite it then merges the write-ahead log into the file.
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
            // The change is committed before its output is written.
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
    pub(super) async fn organization(&self, named: &str) -> Result<Organization, Error> {
        match self.store.find_organization(named).await {
            Err(store::Error::NotFound) => Err(Error::NoSuchOrganization(named.to_owned())),
            other => Ok(other?),
        }
    }

    /// Reads within the tenant of a named record.
    pub(super) async fn reader(&self, named: EntityRef) -> Result<TenantReader<'_>, Error> {
        Ok(self.store.within(self.store.locate(named).await?))
    }

    /// Writes within the tenant of a named record, audited as the operator.
    pub(super) async fn writer(&self, named: EntityRef) -> Result<TenantWriter<'_>, Error> {
        let scope = self.store.locate(named).await?;
        Ok(self.store.write_within(scope, self.audit_context()))
    }

    #[must_use]
    pub(super) fn audit_context(&self) -> AuditContext {
        provision::operator(&*self.clock)
    }

    /// Creates access keys. Fails without a sealing key.
    pub(super) fn mint(&self) -> Result<KeyMint, Error> {
        let keys = self.settings.require_keys().map_err(StartError::from)?;
        let sealer = Arc::new(app::sealer(keys)?);
        Ok(KeyMint::new(
            sealer,
            Arc::clone(&self.clock),
            Arc::clone(&self.entropy),
        ))
    }

    /// Creates links for emails. Fails without a base URL or a sealing key in the settings.
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

/// Runs a command on a small runtime.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
