//! The command line: one file per subcommand.
//!
//! Parses arguments and prints; what a command does is the other floors' business.

pub mod request;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;

use crate::domain::clock::SystemClock;
use crate::domain::entropy::OsEntropy;

/// An organizations API whose every permission is decided by Cedar policies.
#[derive(Debug, Parser)]
#[command(name = "charter", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Request(request::RequestArgs),
}

/// Why a command could not do its work; its text is one paragraph that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A signed request could not be made or sent.
    #[error(transparent)]
    Request(#[from] request::RequestError),
}

/// Parses the arguments and runs the command that they name.
///
/// # Errors
///
/// What kept the command from its work. Wrong arguments end the process here, with exit code 2.
pub fn run() -> Result<ExitCode, Error> {
    match Cli::parse().command {
        Command::Request(args) => {
            let mut console = request::Console {
                out: &mut io::stdout().lock(),
                err: &mut io::stderr().lock(),
                out_is_terminal: io::stdout().is_terminal(),
                input: &mut io::stdin().lock(),
            };
            let clock = SystemClock::start();
            Ok(request::run(&args, &clock, &OsEntropy, &mut console)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
