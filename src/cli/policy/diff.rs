//! `charter policy diff`: what an edit would change, for every request.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::super::Error;
use super::super::operator::SettingsArgs;
use super::super::output::{OutputArgs, document_to};
use super::super::progress;
use super::folder_args::unknown_domain;
use super::folder_fault;
use charter_domain::clock::{Clock as _, SystemClock};
use charter_domain::progress::Progress;
use charter_policy::diff::revision::{self, RevisionError};
use charter_policy::diff::{DiffError, compare_sets, role_changes};
use charter_policy::domain_arg::DomainArg;
use charter_policy::folder_header;
use charter_policy::solver_args::SolverArgs;

/// Exit code if something is or may be wider.
const WIDER: u8 = 3;

/// Compare what two policy folders allow, permission by permission
///
/// A folder is named by its path, as `REVISION:FOLDER` of a git repository, or as `REVISION`, which
/// has it at `policies`. With `--domain`, that domain of both is compared. The exit code is 0 if nothing is wider, 3 if something is, or may be.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Before: a folder or git revision
    old: String,
    /// After: a folder or git revision; if left out, `policies.dir` of the settings
    new: Option<String>,
    #[command(flatten)]
    domain: DomainArg,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    solver: SolverArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Prints the changes, each with an example.
pub(super) fn run(args: &DiffArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let settings = args.settings.load()?.policies;
    let in_force = || settings.dir.display().to_string();
    let named = |spec: &str| args.domain.within_revision(spec).map_err(unknown_domain);
    let old_name = named(&args.old)?;
    let new_name = named(&args.new.clone().unwrap_or_else(in_force))?;
    let (old, new) = match (revision::load(&old_name), revision::load(&new_name)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(RevisionError::Policies(error)), _) | (_, Err(RevisionError::Policies(error))) => {
            return folder_fault::report(&error, args.output.json, out);
        }
        (Err(error), _) | (_, Err(error)) => return Err(Error::Policies(error.to_string())),
    };
    let (old_files, new_files) = (old.files, new.files);
    let (old, new) = (old.snapshot, new.snapshot);
    let progress = Progress::default();
    let solver = args
        .solver
        .find(settings.solver.as_deref())?
        .with_progress(&progress);
    let limits = args.solver.limits();
    let clock = SystemClock::start();
    let failed = |error: DiffError| Error::Policies(error.to_string());
    let shown = progress::show("comparing, kinds of request", args.output, &progress);
    let diff = compare_sets(&old, &new, &solver, limits, &clock);
    drop(shown);
    let diff = diff.map_err(failed)?.with_facts(&old_files, &new_files);
    let roles = role_changes(&old, &new, clock.now()).map_err(failed)?;
    if args.output.json {
        let mut document = serde_json::to_value(diff.document())?;
        if let Value::Object(members) = &mut document {
            members.insert("roles".to_owned(), roles.document());
            for (side, name, snapshot) in [("old", &old_name, &old), ("new", &new_name, &new)] {
                let named = json!({"folder": name, "digest": snapshot.digest().to_string()});
                members.insert(format!("{side}_folder"), named);
            }
        }
        document_to(out, &document)?;
    } else {
        write!(out, "{}", diff.report())?;
        if !new.is_own_domain() {
            write!(out, "{roles}")?;
        }
        for (name, snapshot) in [(&old_name, &old), (&new_name, &new)] {
            folder_header::write_header(Path::new(name), snapshot, out)?;
        }
    }
    Ok(if diff.is_wider() {
        ExitCode::from(WIDER)
    } else {
        ExitCode::SUCCESS
    })
}
