//! `charter policy explain`: why a request is, or was, allowed or denied.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Args;
use miette::NamedSource;
use serde_json::{Value, json};

use super::super::Error;
use super::super::operator::SettingsArgs;
use super::super::output::{OutputArgs, document_to};
use super::asked_snapshot::AskedSnapshot;
use super::folder_args::{of_argument, unknown_domain};
use super::{folder_fault, revision};
use charter_authz::fault::LoadError;
use charter_authz::folder::{self, Folder};
use charter_authz::snapshot::Snapshot;
use charter_decision_log::{DecisionLookup as _, DecisionRecord, EVALUATION, LogDirectory};
use charter_domain::id::DecisionId;
use charter_policy::domain_arg::DomainArg;
use charter_policy::explain::{self, Explanation};

/// Explain why a request is allowed or denied: the determining or nearest policies and their conditions
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The id of a decision, `dec-…`, as a refusal names it
    #[arg(
        value_name = "ID",
        required_unless_present = "request",
        conflicts_with = "request"
    )]
    id: Option<String>,
    /// A request with its entities, as in an example of `charter policy test`
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
    /// The policy folder that is asked. If left out: of a decision, the policies that took it; else the
    /// settings' folder
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    #[command(flatten)]
    domain: DomainArg,
    /// The decision log's directory; the settings' if left out
    #[arg(long, value_name = "DIR")]
    decisions: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// A decision is written within a second.
const MAX_RETRIES: u32 = 4;
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// # Errors
///
/// The folder or the request is faulty, or the log does not have the decision.
pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let settings = args.settings.load()?;
    let decisions = args.decisions.as_ref().unwrap_or(&settings.decisions.dir);
    let faults = |(dir, error): (PathBuf, LoadError), out: &mut dyn Write| {
        let error = of_argument(error, args.policies.as_ref().map(|_| "--policies"));
        folder_fault::report(Some(&dir), error, args.output.json, out)
    };
    let (record, asked, explanation) = match (&args.id, &args.request) {
        (Some(id), _) => {
            let record = find_record(decisions, id, settings.replay.is_shared())?;
            let domain = domain_of(&args.domain, &record)?;
            let asked = match &args.policies {
                Some(policies) => match AskedSnapshot::load(within(policies, &domain)?) {
                    Ok(asked) => asked,
                    Err(error) => return faults(error, out),
                },
                None => policies_of(&args.settings, &settings.policies.dir, &domain, &record)?,
            };
            let explanation = explain::explain_record(&asked.snapshot, &record)
                .map_err(|rule| Error::argument(id.clone(), rule))?;
            (Some(record), asked, explanation)
        }
        (None, Some(file)) => {
            let policies = args.policies.as_ref().unwrap_or(&settings.policies.dir);
            match AskedSnapshot::load(within(policies, &args.domain)?) {
                Ok(asked) => {
                    let explanation = explain_request_file(file, &asked.snapshot)?;
                    (None, asked, explanation)
                }
                Err(error) => return faults(error, out),
            }
        }
        (None, None) => return Err(Error::argument("ID", "or `--request` must be given")),
    };
    let notes = record
        .as_ref()
        .map_or_else(Vec::new, |record| notes(record, &explanation));
    if args.output.json {
        let document = match &record {
            Some(record) => {
                json!({"recorded": recorded(record), "notes": notes, "explanation": explanation})
            }
            None => json!(explanation),
        };
        document_to(out, &asked.named(document))?;
    } else {
        if let Some(record) = &record {
            write!(out, "{} of {}", record.id, record.at)?;
            if let Some(domain) = &record.domain {
                write!(out, ", domain `{domain}`")?;
            }
            writeln!(out, ", request {}", record.request_id)?;
        }
        for note in &notes {
            writeln!(out, "note: {note}")?;
        }
        write!(out, "{explanation}{}", asked.line())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn recorded(record: &DecisionRecord) -> Value {
    json!({
        "id": record.id, "at": record.at, "request_id": record.request_id,
        "via": record.via, "domain": record.domain,
        "policy_digest": record.policy_digest, "decision": record.decision,
        "reason": record.reason, "determining": record.determining,
    })
}

/// The domain that decided.
fn domain_of(asked: &DomainArg, record: &DecisionRecord) -> Result<DomainArg, Error> {
    let decided = record.domain.clone();
    if asked.domain.is_some() && asked.domain != decided {
        let by = decided.map_or_else(
            || "the built-in domain".to_owned(),
            |name| format!("the domain `{name}`"),
        );
        return Err(Error::refused(
            record.id.clone(),
            format!("was decided by {by}"),
        ));
    }
    Ok(DomainArg { domain: decided })
}

/// The folder of a domain within a policy folder, or that very folder.
fn within(policies: &Path, domain: &DomainArg) -> Result<PathBuf, Error> {
    if folder::is_custom_domain(policies) {
        return Ok(policies.to_owned());
    }
    domain.within(policies).map_err(unknown_domain)
}

/// The policies that made the decision: the folder if it has the same digest, else from the
/// database.
fn policies_of(
    settings: &SettingsArgs,
    dir: &Path,
    domain: &DomainArg,
    record: &DecisionRecord,
) -> Result<AskedSnapshot, Error> {
    if let Ok(dir) = domain.within(dir)
        && let Ok(folder) = Folder::read(&dir)
        && **folder.digest() == *record.policy_digest
    {
        // Perhaps of an earlier version of this program.
        let snapshot = Snapshot::from_recorded(&folder)?;
        return Ok(AskedSnapshot::of_folder(dir, snapshot));
    }
    let (name, digest) = (record.domain.as_deref(), &record.policy_digest);
    let known =
        settings.operate(async |operator| revision::of_digest(operator, name, digest).await)?;
    known.map(AskedSnapshot::recorded).ok_or_else(|| {
        Error::refused(
            record.id.clone(),
            format!(
                "was decided by policies that are no longer known here, with the digest {digest}: name their folder \
                 with `--policies`"
            ),
        )
    })
}

fn find_record(dir: &Path, id: &str, has_replicas: bool) -> Result<DecisionRecord, Error> {
    let parsed: DecisionId = id.parse().map_err(|_| {
        Error::argument(
            id.to_owned(),
            "is not a decision's id: write `dec-` and 26 characters",
        )
    })?;
    let log = LogDirectory::new(dir);
    let find = || {
        let found = log.find(parsed);
        found.map_err(|error| Error::DecisionLog(dir.to_owned(), error))
    };
    let mut found = find()?;
    for _ in 0..MAX_RETRIES {
        if found.is_some() {
            break;
        }
        // The service may not have written it yet.
        thread::sleep(RETRY_INTERVAL);
        found = find()?;
    }
    found.ok_or_else(|| {
        let elsewhere = if has_replicas {
            ": each replica has its own, which `--decisions` names; of a denial, `GET /decisions/{id}` tells at any \
             of them"
        } else {
            ""
        };
        let rule = format!(
            "is not in the decision log of `{}`, or no longer{elsewhere}",
            dir.display()
        );
        Error::refused(id.to_owned(), rule)
    })
}

/// Differences between the explanation and the recorded decision.
fn notes(record: &DecisionRecord, explanation: &Explanation) -> Vec<String> {
    let mut notes = Vec::new();
    match record.via.as_deref() {
        None => {}
        Some(EVALUATION) => notes.push(format!(
            "asked through: {EVALUATION}; nothing was done here because of it"
        )),
        Some(via) => notes.push(format!("asked through: {via}, by a gateway")),
    }
    if record.policy_digest != explanation.policy_digest {
        notes.push(format!(
            "other policies decided then: {} at that time, {} here",
            record.policy_digest, explanation.policy_digest
        ));
    }
    let determining: Vec<&str> = explanation
        .determining
        .iter()
        .map(|applied| applied.policy_ref.policy.as_str())
        .collect();
    if determining != record.determining {
        let by = match record.determining.as_slice() {
            [] => "no policy".to_owned(),
            ids => ids.join(", "),
        };
        notes.push(format!("decided then by {by}"));
    }
    notes
}

fn explain_request_file(file: &Path, snapshot: &Snapshot) -> Result<Explanation, Error> {
    let text = fs::read_to_string(file).map_err(|error| {
        let rule = format!("cannot be read from `{}`: {error}", file.display());
        Error::argument("--request", rule)
    })?;
    let name = file.display().to_string();
    let source = Arc::new(NamedSource::new(name, Arc::from(text)));
    Ok(explain::explain_request_file(snapshot, &source)?)
}
