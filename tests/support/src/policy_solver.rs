//! What tests of proofs and diffs share: a solver, real or played, and folders to edit.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_policy::analysis::{Options, ProofReport, prove};
use charter_policy::solver::{Solver, SolverLimits};
use tempfile::TempDir;

use crate::policy_world::whole_copy_of_shipped;

/// The installed solver; `None` where there is none, said aloud. With
/// `CHARTER_REQUIRE_SERVICES=1` that is a failure.
#[expect(
    clippy::disallowed_methods,
    reason = "only the environment says whether this machine must have everything"
)]
pub fn solver() -> Option<Solver> {
    match Solver::find(None) {
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

/// A program that answers `--version` as the solver does and to all else does what the script says.
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

/// The shipped folder, to be edited.
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

    /// Puts `to` in the place of `from`, which must be there once.
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

    /// Without the checks that refuse what the service never fills: the prover knows all of Cedar.
    #[track_caller]
    pub fn parsed(&self) -> Snapshot {
        Folder::read(self.path())
            .and_then(|folder| Snapshot::from_accepted(&folder))
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Ample, for a machine with other work.
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
