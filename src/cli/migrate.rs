//! `charter migrate`: migrates the schema up and down, and shows its status.

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use charter_domain::progress::Progress;
use charter_store::MigrationStatus;

use super::operator::OperatorArgs;
use super::{Error, progress};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Apply pending migrations; `serve` does the same when it starts
    Up,
    /// Revert the latest migrations, with their data
    Down {
        /// How many
        #[arg(default_value_t = 1)]
        steps: u32,
        /// Confirm that the data is deleted
        #[arg(long)]
        yes: bool,
    },
    /// Show which migrations are applied
    Status,
}

/// Prints the status of the schema.
pub(super) fn run(args: &OperatorArgs<Command>, out: &mut dyn Write) -> Result<ExitCode, Error> {
    args.settings.operate_on_any_schema(async |operator| {
        let store = &operator.store;
        let shown_meanwhile = progress::show("migrating", args.output, &Progress::default());
        match args.command {
            Command::Up => store.migrate_up().await?,
            Command::Down { steps, yes: true } => store.migrate_down(steps).await?,
            Command::Down { yes: false, .. } => return Err(Error::Unconfirmed),
            Command::Status => {}
        }
        drop(shown_meanwhile);
        let status = store.migration_status().await?;
        let printed = args.output.either(
            out,
            || status.iter().map(shown).collect(),
            |out| {
                status.iter().try_for_each(|migration| {
                    writeln!(out, "{}  {}", state(migration), migration.name)
                })
            },
        );
        match args.command {
            Command::Status => printed?,
            Command::Up | Command::Down { .. } => printed.map_err(Error::Unprinted)?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

const fn state(migration: &MigrationStatus) -> &'static str {
    match migration {
        MigrationStatus { known: false, .. } => "later",
        MigrationStatus { applied: true, .. } => "applied",
        MigrationStatus { applied: false, .. } => "pending",
    }
}

fn shown(migration: &MigrationStatus) -> Value {
    json!({"name": migration.name, "state": state(migration)})
}
