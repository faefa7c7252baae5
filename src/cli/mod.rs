//! The command line: one file per subcommand.
//!
//! Parses arguments and prints results; the work is done by `app` and the crates.

pub mod audit;
pub mod check;
mod error;
pub mod key;
pub mod keys;
pub mod migrate;
pub mod openapi;
mod operator;
pub mod organization;
mod output;
pub mod policy;
mod progress;
pub mod proxy;
pub mod request;
pub mod serve;
mod shell_word;
pub mod user;

use std::io::{self, IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;
use charter_policy::terminal_safe::TerminalSafeWriter;
pub use error::Error;

/// An organizations API whose every permission is decided by Cedar policies.
#[derive(Debug, Parser)]
#[command(name = "charter", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Request(request::RequestArgs),
    Proxy(proxy::ProxyArgs),
    Keys(keys::KeysArgs),
    Migrate(migrate::MigrateArgs),
    Check(check::CheckArgs),
    Organization(organization::OrganizationArgs),
    User(user::UserArgs),
    Key(key::KeyArgs),
    Audit(audit::AuditArgs),
    Policy(policy::PolicyArgs),
    /// Print the API's description, as `/openapi.json` serves it
    Openapi,
    /// Print what a shell needs to complete this command's arguments
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command
    Man {
        /// The directory, such as /usr/local/share/man/man1
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// Parses the arguments and runs the command.
///
/// # Errors
///
/// Errors of the command. Invalid arguments end the process with exit code 2.
pub fn run() -> Result<ExitCode, Error> {
    let out = &mut io::stdout().lock();
    let code = dispatch(&Cli::parse().command, out)?;
    out.flush()?;
    Ok(code)
}

/// What tenants have written must not control the operator's terminal. In JSON the escapes stand for the same text.
fn safe<'a>(out: &'a mut io::StdoutLock<'_>) -> TerminalSafeWriter<'a> {
    TerminalSafeWriter::new(out)
}

fn dispatch(command: &Command, out: &mut io::StdoutLock<'_>) -> Result<ExitCode, Error> {
    match command {
        Command::Serve(args) => serve::run(args, out),
        Command::Request(args) => {
            let mut console = request::Console {
                out,
                err: &mut io::stderr().lock(),
                out_is_terminal: io::stdout().is_terminal(),
                input: &mut io::stdin().lock(),
            };
            let clock = SystemClock::start();
            Ok(request::run(args, &clock, &OsEntropy, &mut console)?)
        }
        Command::Proxy(args) => Ok(proxy::run(args, out)?),
        Command::Keys(args) => keys::run(args, &mut safe(out)),
        Command::Migrate(args) => migrate::run(args, &mut safe(out)),
        Command::Check(args) => check::run(args, &mut safe(out)),
        Command::Organization(args) => organization::run(args, &mut safe(out)),
        Command::User(args) => user::run(args, &mut safe(out)),
        Command::Key(args) => key::run(args, &mut safe(out)),
        Command::Audit(args) => audit::run(args, &mut safe(out)),
        Command::Policy(args) => policy::run(args, out),
        Command::Openapi => openapi::run(out),
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "charter", out);
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { dir } => {
            std::fs::create_dir_all(dir)?;
            clap_mangen::generate_to(Cli::command(), dir)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands whose output is not text for people, so they have no `--json`.
    const OTHERWISE: [&str; 9] = [
        // Log.
        "charter serve",
        "charter proxy",
        // Prints the response body as received.
        "charter request",
        // Print a part of a settings file, a JSON document, a script or files.
        "charter keys generate",
        "charter openapi",
        "charter completions",
        "charter man",
        // Run by the service.
        "charter policy gate",
        "charter policy workbench",
    ];

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn whatever_answers_in_text_can_answer_in_json() {
        let mut root = Cli::command();
        root.build();
        let mut without = Vec::new();
        let mut open = vec![(root.get_name().to_owned(), &root)];
        while let Some((name, command)) = open.pop() {
            let below: Vec<_> = command
                .get_subcommands()
                .filter(|below| below.get_name() != "help")
                .map(|below| (format!("{name} {}", below.get_name()), below))
                .collect();
            let has_json = command
                .get_arguments()
                .any(|argument| argument.get_long() == Some("json"));
            if below.is_empty() && !has_json {
                without.push(name);
            }
            open.extend(below);
        }
        without.sort_unstable();
        let mut otherwise = OTHERWISE;
        otherwise.sort_unstable();
        assert_eq!(without, otherwise);
    }
}
