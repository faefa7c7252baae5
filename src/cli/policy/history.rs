//! `charter policy history` and `rollback`: lists revisions and restores one.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_domain::timestamp;
use charter_policy::diff;
use charter_policy::domain_arg::DomainArg;
use charter_policy::manifest::{self, Manifest};
use charter_store::{PolicyRevision, Store};
use charter_system::atomic;

use super::super::Error;
use super::super::operator::SettingsArgs;
use super::super::output::OutputArgs;
use super::revision::place;

/// Revisions that are searched.
const MAX_SEARCHED: u64 = 10_000;
/// Minimal length of a digest's prefix.
const MIN_DIGEST_PREFIX: usize = 8;

/// List the policies that were in force, newest first
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Maximal number of revisions
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: u64,
    #[command(flatten)]
    domain: DomainArg,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Write the texts of an earlier revision back into the policy folder
///
/// The service then checks the folder like any other edit: if it allows more than now, it may need an approval.
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The revision's number, or its digest (of the whole folder), as `charter policy history` shows it
    #[arg(value_name = "REVISION")]
    revision: String,
    /// Write the files; without it, only show what would change
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    domain: DomainArg,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn history(args: &HistoryArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    args.settings.operate(async |operator| {
        let domain = args.domain.domain.as_deref();
        let revisions = operator.store.policy_revisions(domain, args.limit).await?;
        if let Some(name) = domain.filter(|_| revisions.is_empty() && args.limit > 0) {
            let none = "never was in force: no revision of this domain is on record";
            return Err(Error::refused(name.to_owned(), none));
        }
        let approvals = operator.store.policy_approvals().await?;
        let mut ended = None;
        let mut spans = Vec::new();
        for revision in &revisions {
            let mut approved_by: Vec<&str> = approvals
                .iter()
                .filter(|approval| approval.used_by == Some(revision.sequence))
                .map(|approval| approval.approved_by.as_str())
                .collect();
            approved_by.sort_unstable();
            let until = ended.replace(timestamp::format(revision.in_force_from));
            spans.push(RevisionSpan {
                revision,
                until,
                approved_by,
            });
        }
        args.output.either(
            out,
            || spans.iter().map(RevisionSpan::document).collect(),
            |out| spans.iter().try_for_each(|span| span.print(out)),
        )?;
        Ok(ExitCode::SUCCESS)
    })
}

/// A revision with the time it was in force.
struct RevisionSpan<'a> {
    revision: &'a PolicyRevision,
    /// `None` if it is still in force.
    until: Option<String>,
    approved_by: Vec<&'a str>,
}

impl RevisionSpan<'_> {
    fn document(&self) -> Value {
        let revision = self.revision;
        json!({
            "revision": revision.sequence,
            "in_force_from": timestamp::format(revision.in_force_from),
            "in_force_until": self.until,
            "taken_as": revision.taken_as.as_str(),
            "manifest_version": revision.manifest_version,
            "approved_by": self.approved_by,
            "whole_folder": revision.whole_digest,
            "digest": revision.policy_digest,
        })
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let revision = self.revision;
        let from = timestamp::format(revision.in_force_from);
        let until = self.until.as_deref().unwrap_or("now");
        let version = revision.manifest_version;
        let version = version.map_or(String::new(), |version| format!(" version {version}"));
        let approved = match self.approved_by.as_slice() {
            [] => String::new(),
            people => format!(", approved by {}", people.join(" and ")),
        };
        writeln!(
            out,
            "{}  {from} to {until}  as {}{version}{approved}\n    folder    {}\n    policies  {}",
            revision.sequence,
            revision.taken_as.as_str(),
            revision.whole_digest,
            revision.policy_digest
        )
    }
}

/// Restores a revision.
///
/// # Errors
///
/// The revision does not exist, or the folder cannot be read or written.
pub(super) fn rollback(args: &RollbackArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    args.settings.operate(async |operator| {
        let store = &operator.store;
        let domain = args.domain.domain.as_deref();
        let revision = find(store, domain, args.revision.trim()).await?;
        let files = store.policy_files(&revision).await?.ok_or_else(|| {
            Error::argument(
                args.revision.clone(),
                "is incomplete: one of its files is missing in the database",
            )
        })?;
        let dir = &place(operator, domain)?;
        let in_force = store.policy_revisions(domain, 1).await?;
        let version = in_force.first().and_then(|last| last.manifest_version);
        // A broken folder can be rolled back, too, but nothing is replaced or removed unseen.
        let now = Folder::incomplete_files(dir).map_err(|error| {
            let report = error.report();
            Error::Policies(format!(
                "{report}\nnothing is written: first mend or remove what cannot be read"
            ))
        })?;
        let files = with_manifest(dir, &files, &now, version)?;
        would_be_taken(domain, &revision, &files)?;
        let changes = diff::text_changes((&now, None), (&files, None));
        let document = || {
            json!({
                "folder": dir.display().to_string(),
                "revision": revision.sequence,
                "whole_folder": revision.whole_digest,
                "changes": changes,
                "written": args.yes,
            })
        };
        if args.yes {
            replace(dir, &now, &files)?;
        }
        args.output.either(out, document, |out| {
            writeln!(out, "folder      {}", dir.display())?;
            writeln!(
                out,
                "revision    {}, {}",
                revision.sequence, revision.whole_digest
            )?;
            write!(out, "{changes}")?;
            if args.yes {
                writeln!(out, "written; the service checks it like any other edit")
            } else {
                writeln!(out, "nothing is written: give `--yes`")
            }
        })?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Refuses what this version of the service could not serve: the folder would only be refused later.
fn would_be_taken(
    domain: Option<&str>,
    revision: &PolicyRevision,
    files: &Files,
) -> Result<(), Error> {
    let folder = Folder::of_revision(domain, revision.sequence, files.clone());
    let loaded = folder.and_then(|folder| Snapshot::from_folder(&folder));
    loaded.map(drop).map_err(|error| {
        Error::refused(
            format!("revision {}", revision.sequence),
            format!(
                "would be refused by this version of the service, so nothing was written\n{}",
                error.report()
            ),
        )
    })
}

async fn find(store: &Store, domain: Option<&str>, named: &str) -> Result<PolicyRevision, Error> {
    let number = named.parse::<i64>().ok();
    let is_it = |revision: &PolicyRevision| match number {
        Some(number) if named.len() < MIN_DIGEST_PREFIX => revision.sequence == number,
        _ => named.len() >= MIN_DIGEST_PREFIX && revision.whole_digest.starts_with(named),
    };
    let revisions = store.policy_revisions(domain, MAX_SEARCHED).await?;
    let found: Vec<PolicyRevision> = revisions.into_iter().filter(is_it).collect();
    let is_one = found.iter().all(|revision| {
        Some(&revision.whole_digest) == found.first().map(|first| &first.whole_digest)
    });
    found.into_iter().next().filter(|_| is_one).ok_or_else(|| {
        Error::refused(
            named.to_owned(),
            format!("names no single revision; give a number, or at least {MIN_DIGEST_PREFIX} characters of a digest, as `charter policy history` shows them"),
        )
    })
}

/// The files with a manifest newer than all earlier ones, if manifests are used.
fn with_manifest(
    dir: &Path,
    files: &Files,
    now: &Files,
    in_force: Option<u64>,
) -> Result<Files, Error> {
    let mut files = files.clone();
    let had = files.remove(manifest::NAME).is_some();
    let read = |files: &Files| {
        let folder = Folder::from_files(dir, files.clone()).ok()?;
        Manifest::read(&folder)
            .ok()
            .flatten()
            .map(|manifest| manifest.version)
    };
    let newest = in_force.max(read(now));
    if !had && newest.is_none() {
        return Ok(files);
    }
    let folder = Folder::from_files(dir, files.clone())?;
    let version = newest.map_or(1, |version| version.saturating_add(1));
    let manifest = Manifest::of(&folder, version);
    let text = format!("{}\n", serde_json::to_string_pretty(&manifest)?);
    files.insert(manifest::NAME.to_owned(), text.into());
    Ok(files)
}

/// Replaces each file atomically, and removes those of `now` that are not among `files`. The manifest comes first, and
/// goes last, so that an incomplete folder is not taken.
fn replace(dir: &Path, now: &Files, files: &Files) -> Result<(), Error> {
    let manifest = files.get_key_value(manifest::NAME);
    let rest = files.iter().filter(|(name, _)| *name != manifest::NAME);
    for (name, text) in manifest.into_iter().chain(rest) {
        if now.get(name) == Some(text) {
            continue;
        }
        let path = dir.join(name);
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent).map_err(unwritable(parent))?;
        atomic::replace_shared(&path, text.as_bytes()).map_err(unwritable(&path))?;
    }
    let mut removed: Vec<&String> = now
        .keys()
        .filter(|name| !files.contains_key(*name))
        .collect();
    removed.sort_by_key(|name| *name == manifest::NAME);
    for name in removed {
        let path = dir.join(name);
        fs::remove_file(&path).map_err(unwritable(&path))?;
    }
    Ok(())
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::Unwritable(path.to_owned(), error)
}
