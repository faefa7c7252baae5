//! Fixtures of tests of proofs and diffs: a real or simulated solver, and folders to edit.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_policy::analysis::{Options, ProofReport, prove};
use charter_policy::solver::{PROGRAM, Solver, SolverLimits, on_path};
use tempfile::TempDir;

use crate::policy_world::whole_copy_of_shipped;

/// Where the solver is installed.
pub fn solver_program() -> Option<PathBuf> {
    program(PROGRAM)
}

/// Where a program of that name is installed.
#[expect(
    clippy::disallowed_methods,
    reason = "only the environment says where programs are"
)]
pub fn program(name: &str) -> Option<PathBuf> {
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    on_path(Path::new(name), &search_path)
}

/// The installed solver; `None`, with a message, if there is none. With `CHARTER_REQUIRE_SERVICES=1` that fails.
#[expect(
    clippy::disallowed_methods,
    reason = "only the environment says whether this machine must have everything"
)]
pub fn solver() -> Option<Solver> {
    match Solver::find(solver_program().as_deref()) {
        Ok(solver) => Some(solver),
        Err(error) => {
            let required =
                std::env::var("CHARTER_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
            assert!(!required, "{error}");
            eprintln!("LEFT OUT: {error}");
            None
        }
    }
}

/// A program that answers `--version` like the solver and otherwise runs the script.
pub fn played(script: &str) -> (Solver, TempDir) {
    let dir = TempDir::new().expect("a temporary folder");
    let program = dir.path().join("cvc5");
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'This is cvc5 version 9.9'; exit; fi\n{script}\n"
    );
    fs::write(&program, text).expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    let solver = Solver::find(Some(&program)).expect("an answer to --version");
    (solver, dir)
}

/// A copy of the shipped folder.
pub struct Edited {
    dir: TempDir,
}

impl Edited {
    pub fn new() -> Self {
        Self {
            dir: whole_copy_of_shipped(),
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Replaces `from`, which must occur once.
    #[track_caller]
    pub fn replace(self, file: &str, from: &str, to: &str) -> Self {
        let text = fs::read_to_string(self.file(file)).expect("a file");
        assert_eq!(text.matches(from).count(), 1, "{from}");
        fs::write(self.file(file), text.replace(from, to)).expect("a file");
        self
    }

    pub fn write(self, file: &str, text: &str) -> Self {
        fs::write(self.file(file), text).expect("a file");
        self
    }

    #[track_caller]
    pub fn load(&self) -> Snapshot {
        Snapshot::load(self.path()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Without the check for features that the service does not use: the prover supports all of Cedar.
    #[track_caller]
    pub fn parsed(&self) -> Snapshot {
        Folder::read(self.path())
            .and_then(|folder| Snapshot::from_accepted(&folder))
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Sufficient for a busy machine.
pub fn limits() -> SolverLimits {
    SolverLimits {
        whole: Duration::from_mins(10),
        ..SolverLimits::default()
    }
}

pub fn proofs(snapshot: &Snapshot, solver: &Solver) -> ProofReport {
    let options = Options {
        limits: limits(),
        shadows: false,
    };
    prove(snapshot, None, solver, &options, &SystemClock::start())
}
