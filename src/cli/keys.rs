//! `charter keys generate`: generates the keys for the settings.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::settings::keys;
use charter_domain::entropy::OsEntropy;

use super::Error;

/// Make the keys that the settings need
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print new keys as a part of a settings file: sealing, audit, replay, token, refresh
    Generate,
}

pub fn run(args: &KeysArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    match args.command {
        Command::Generate => write!(out, "{}", *keys::generate(&OsEntropy))?,
    }
    Ok(ExitCode::SUCCESS)
}
