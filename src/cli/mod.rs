//! The command line: one file per subcommand.
//!
//! Parses arguments and prints results; the work is done by `app` and the crates.

mod audit;
pub mod check;
mod error;
mod key;
pub mod keys;
mod migrate;
pub mod openapi;
mod operator;
mod organization;
mod output;
pub mod policy;
mod progress;
pub mod proxy;
pub mod request;
pub mod serve;
mod shell_word;
mod user;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;
use charter_policy::terminal_safe::TerminalSafeWriter;
use charter_system::atomic;
pub use error::Error;
use operator::OperatorArgs;

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
    /// Migrate the database's schema
    Migrate(OperatorArgs<migrate::Command>),
    Check(check::CheckArgs),
    /// Create, list, show and reactivate organizations, directly in the database
    Organization(OperatorArgs<organization::Command>),
    /// Invite, list, disable, enable and sign out users, and change their roles, directly in the database
    User(OperatorArgs<user::Command>),
    /// Issue, list and revoke access keys, directly in the database
    Key(OperatorArgs<key::Command>),
    /// Read and verify the audit log
    Audit(OperatorArgs<audit::Command>),
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
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let code = match policy::ChildArgs::of(&arguments) {
        Some(args) => policy::run_child(&args, out)?,
        None => dispatch(&Cli::parse_from(arguments).command, out)?,
    };
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
            // It panics if it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "charter", &mut script);
            out.write_all(&script)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { dir } => {
            std::fs::create_dir_all(dir)?;
            let mut command = Cli::command().disable_help_subcommand(true);
            command.build();
            write_pages(&command, dir)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Writes the manual pages of a command and those below it. A link in the place of one is replaced, not followed.
fn write_pages(command: &clap::Command, dir: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        write_pages(below, dir)?;
    }
    let page = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    atomic::replace_shared(&dir.join(page.get_filename()), &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands whose output is not text for people, so they have no `--json`.
    const OTHERWISE: [&str; 6] = [
        // Log.
        "charter serve",
        "charter proxy",
        // Prints the response body as received.
        "charter request",
        // Print a JSON document, a script or files.
        "charter openapi",
        "charter completions",
        "charter man",
    ];

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_that_the_service_runs_are_not_completed() {
        let mut script = Vec::new();
        clap_complete::generate(
            clap_complete::Shell::Bash,
            &mut Cli::command(),
            "charter",
            &mut script,
        );
        let script = String::from_utf8(script).expect("text");
        let has = |name: &str| script.split_whitespace().any(|word| word == name);
        assert!(has("new-domain"), "{script}");
        assert!(!has("gate") && !has("workbench"), "{script}");
        let child = |name: &str| ["charter", "policy", name].map(OsString::from);
        assert!(policy::ChildArgs::of(&child("workbench")).is_some());
        assert!(policy::ChildArgs::of(&child("gate")).is_some());
        assert!(policy::ChildArgs::of(&child("test")).is_none());
    }

    #[test]
    fn every_command_with_a_text_answer_has_a_json_one() {
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
