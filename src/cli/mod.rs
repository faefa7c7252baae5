//! The command line: one file per subcommand.
//!
//! Parses arguments and prints; what a command does is the other floors' business.

pub mod audit;
pub mod check;
pub mod key;
pub mod keys;
pub mod migrate;
pub mod openapi;
mod operator;
pub mod organization;
mod output;
pub mod policy;
mod progress;
pub mod request;
pub mod serve;
pub mod user;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::app::StartError;
use crate::settings::error::SettingsError;
use crate::telemetry;
use charter_authn::link_mails::NotSealed;
use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;
use charter_policy::solver::SolverError;
use charter_store as store;

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

/// Why a command could not do its work; its text is one paragraph that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A signed request could not be made or sent.
    #[error(transparent)]
    Request(#[from] request::RequestError),
    /// The settings are wrong or incomplete.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The service, or an operator's command, could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The schema is not this program's.
    #[error("the database's schema is not up to date: run `charter migrate up` first")]
    NotMigrated,
    /// Data would be destroyed that nobody said may go.
    #[error(
        "`migrate down` drops tables with all their data: make a copy of the database, then say `--yes`"
    )]
    Unconfirmed,
    /// An argument names an organization that is not there.
    #[error("there is no organization `{0}`; `charter organization list` shows all")]
    NoSuchOrganization(String),
    /// An argument names a person who is not there.
    #[error("nobody has the address `{0}`; `charter user list ORGANIZATION` shows all of one")]
    NoSuchUser(String),
    /// Who is to be invited has a place already.
    #[error("`{0}` is a member already: `charter user set-role` gives it another role")]
    AlreadyMember(String),
    /// Who is to be invited is somebody elsewhere.
    #[error(
        "`{0}` belongs to somebody of organization {1}, and an address to one person: invite another address"
    )]
    BelongsElsewhere(String, String),
    /// The organization is deactivated.
    #[error("organization `{0}` is deactivated: run `charter organization reactivate` first")]
    Deactivated(String),
    /// It would be left without an owner.
    #[error(
        "`{0}` is the organization's only owner: make another one first, with `charter user set-role` or \
         `charter user invite`"
    )]
    LastOwner(String),
    /// The policies do not know a role.
    #[error("there is no role `{0}`; the schema has {1}")]
    NoSuchRole(String, String),
    /// The invitation could not be made.
    #[error(transparent)]
    Invitation(#[from] NotSealed),
    /// An argument names a key that is not there.
    #[error("there is no access key `{0}`; `charter key list ORGANIZATION` shows all of one")]
    NoSuchKey(String),
    /// An argument names something that the organization does not have.
    #[error("organization `{organization}` has no such {what}")]
    NotInOrganization {
        /// As the argument names it.
        organization: String,
        /// What was looked for.
        what: &'static str,
    },
    /// The service would not start; the text is all that keeps it from it.
    #[error("{0}")]
    CannotStart(String),
    /// A policy folder does not hold; the text is the whole report.
    #[error("{0}")]
    Policies(String),
    /// No solver can be asked.
    #[error(transparent)]
    Solver(#[from] SolverError),
    /// A candidate could not be led through the gates.
    #[error("the checks cannot be made: {0}")]
    Gate(#[from] serde_json::Error),
    /// A decision log cannot be read.
    #[error("the decision log `{0}` cannot be read: {1}")]
    DecisionLog(std::path::PathBuf, io::Error),
    /// Logging could not be started.
    #[error(transparent)]
    Log(#[from] telemetry::log::Error),
    /// Metrics could not be started.
    #[error(transparent)]
    Metrics(#[from] telemetry::metrics::Error),
    /// Spans could not be exported.
    #[error(transparent)]
    Traces(#[from] telemetry::traces::Error),
    /// The value of an argument breaks a rule.
    #[error("`{name}` {rule}")]
    Argument {
        /// The argument.
        name: &'static str,
        /// The rule.
        rule: String,
    },
    /// The terminal, a signal or the runtime.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    fn argument(name: &'static str, rule: impl std::fmt::Display) -> Self {
        Self::Argument {
            name,
            rule: rule.to_string(),
        }
    }
}

/// Parses the arguments and runs the command that they name.
///
/// # Errors
///
/// What kept the command from its work. Wrong arguments end the process here, with exit code 2.
pub fn run() -> Result<ExitCode, Error> {
    let out = &mut io::stdout().lock();
    match &Cli::parse().command {
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
        Command::Keys(args) => keys::run(args, out),
        Command::Migrate(args) => migrate::run(args, out),
        Command::Check(args) => check::run(args, out),
        Command::Organization(args) => organization::run(args, out),
        Command::User(args) => user::run(args, out),
        Command::Key(args) => key::run(args, out),
        Command::Audit(args) => audit::run(args, out),
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

    /// What answers with something else than text for people.
    const OTHERWISE: [&str; 7] = [
        // Runs, and logs.
        "charter serve",
        // Prints the answer's body as it came.
        "charter request",
        // A part of a settings file, a JSON document, a script, files.
        "charter keys generate",
        "charter openapi",
        "charter completions",
        "charter man",
        // One process of the service asks another.
        "charter policy gate",
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
