//! `charter migrate`: the database's schema, up, down and where it stands.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Error;
use super::operator::SettingsArgs;

/// Migrate the database's schema
#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Apply what is pending; `serve` does the same when it starts
    Up,
    /// Take back the latest migrations, with the data in what they made
    Down {
        /// How many
        #[arg(default_value_t = 1)]
        steps: u32,
        /// Yes, the data goes with them
        #[arg(long)]
        yes: bool,
    },
    /// Show which are applied
    Status,
}

/// Does it, and prints where the schema stands.
///
/// # Errors
///
/// The settings' or the database's faults.
pub fn run(args: &MigrateArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    args.settings.operate_on_any_schema(async |operator| {
        let store = &operator.store;
        match args.command {
            Command::Up => store.migrate_up().await?,
            Command::Down { steps, yes: true } => store.migrate_down(steps).await?,
            Command::Down { yes: false, .. } => return Err(Error::Unconfirmed),
            Command::Status => {}
        }
        for migration in store.migration_status().await? {
            let state = if migration.applied {
                "applied"
            } else {
                "pending"
            };
            writeln!(out, "{state}  {}", migration.name)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}
