//! What operators' commands share: settings, the database and a clock, without a server.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::app::{self, StartError, provision};
use crate::authn::mint::KeyMint;
use crate::domain::audit::Provenance;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::entropy::{Entropy, OsEntropy};
use crate::domain::organization::Organization;
use crate::settings::Settings;
use crate::store::{self, Store};

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

    /// Connects to a database whose schema is up to date.
    ///
    /// # Errors
    ///
    /// The settings' faults, the database's, or migrations are pending.
    pub(super) async fn connect_migrated(&self) -> Result<Operator, Error> {
        let operator = self.connect().await?;
        let status = operator.store.migration_status().await?;
        if status.iter().all(|migration| migration.applied) {
            Ok(operator)
        } else {
            Err(Error::NotMigrated)
        }
    }

    /// Connects to the database, without migrating it.
    ///
    /// # Errors
    ///
    /// The settings' faults, or the database's.
    pub(super) async fn connect(&self) -> Result<Operator, Error> {
        let settings = self.load()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let keys = settings.require_keys().map_err(StartError::from)?;
        let store =
            app::open_store(&settings, keys, Arc::clone(&clock), Arc::clone(&entropy)).await?;
        Ok(Operator {
            settings,
            store,
            clock,
            entropy,
        })
    }
}

impl Operator {
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

    /// Who is on record for what the command does.
    #[must_use]
    pub(super) fn provenance(&self) -> Provenance {
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
