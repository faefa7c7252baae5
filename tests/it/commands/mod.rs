//! Every command of the binary as an operator runs it, and every way a start can fail: what is
//! printed, and the exit code.

mod arguments;
mod audit;
mod check;
mod check_restored;
mod documents;
mod invitations;
mod json;
mod pages;
mod progress;
mod request_lines;
mod restored;
mod schema;
mod sealing;
mod serving;
mod signals;
mod start_faults;
mod tenants;
mod traces;
mod unprinted;
mod unusable;
mod verdicts;
mod writable_policies;

use test_support::process::{Charter, Home, Outcome};

/// An installation set up as `docs/operating.md` has it: keys of its own in a file, no demo.
struct Installation {
    home: Home,
    config: String,
}

impl Installation {
    /// Keys only; no database yet.
    fn new() -> Self {
        Self::in_home(Home::new())
    }

    fn in_home(home: Home) -> Self {
        let config = home.with_new_keys();
        Self { home, config }
    }

    /// With a database.
    fn migrated() -> Self {
        let installation = Self::new();
        installation.run(&["migrate", "up"]).success();
        installation
    }

    /// A command with the settings file.
    fn run(&self, arguments: &[&str]) -> Outcome {
        let (command, rest) = arguments.split_first().expect("a command");
        self.home.run(&[&[*command, &self.config], rest].concat())
    }

    fn serve(&self) -> Charter {
        self.home.start(&["serve", &self.config])
    }

    /// Standard output of a command that must succeed, as JSON.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let out = self.run(arguments).success();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }
}
