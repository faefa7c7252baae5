//! `charter check`: settings, policies and database, without serving.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use crate::app::{self, StartError};

use super::Error;
use super::operator::SettingsArgs;

/// Check settings, policies and database, and exit
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Checks; each part that is well is a line.
///
/// # Errors
///
/// The first part that is not well.
pub fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let settings = args.settings.load()?;
    settings.require_keys().map_err(StartError::from)?;
    app::check_mail(&settings)?;
    writeln!(out, "settings  ok")?;
    let policies = app::load_policies(&settings.policies.dir)?;
    writeln!(out, "policies  ok, digest {}", policies.digest())?;
    args.settings.operate_on_any_schema(async |operator| {
        let store = &operator.store;
        store.ping().await?;
        let pending = store
            .migration_status()
            .await?
            .iter()
            .filter(|m| !m.applied)
            .count();
        writeln!(out, "database  ok, {pending} migrations pending")?;
        if pending == 0 {
            let keys = settings.require_keys().map_err(StartError::from)?;
            app::check_keys(store, keys).await?;
            writeln!(out, "keys      ok")?;
        }
        Ok(ExitCode::SUCCESS)
    })
}
