//! `charter policy replay`: evaluates recorded decisions again.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use charter_authz::snapshot::Snapshot;
use charter_decision_log::Direction;
use charter_domain::progress::Progress;
use charter_policy::counted::counted;
use charter_policy::domain_arg::DomainArg;
use charter_policy::replay::{EarlierSnapshots, ReplayMode, ReplayReport, replay};

use super::super::Error;
use super::super::operator::SettingsArgs;
use super::super::output::{OutputArgs, document_to};
use super::super::progress;
use super::folder_args::of_argument;
use super::replayed_folders::{AskedFolders, AskedPolicies, FolderError};
use super::{folder_fault, revision};

/// Exit code: no decision flips.
const SAME: u8 = 0;
/// Exit code: a decision flips or is not reproduced.
const FLIPS: u8 = 1;
/// Exit code: some decisions could not be evaluated.
const INCOMPLETE: u8 = 2;

/// Evaluate recorded decisions again, and list what a candidate would decide differently
///
/// Without a candidate, the policies that took each decision must reproduce it. Exit code 1: something flips; 2:
/// something could not be evaluated. The log is trusted: run `verify-log` first.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// A file of a decision log, or its directory
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// The candidate: a policy folder, with its domains, or the folder of a domain
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    #[command(flatten)]
    domain: DomainArg,
    #[command(flatten)]
    output: OutputArgs,
    /// Number of threads; by default one for each processor
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
}

/// # Errors
///
/// The policies or settings are faulty, or the log cannot be read.
pub(super) fn run(args: &ReplayArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let settings = args.settings.load()?;
    let (dir, mode) = match &args.policies {
        Some(dir) => (dir, ReplayMode::Candidate),
        None => (&settings.policies.dir, ReplayMode::Reproduce),
    };
    let asked = AskedFolders::of(dir, &args.domain)?;
    let asked = match asked.load(mode, |domain| in_force(&args.settings, domain)) {
        Ok(asked) => asked,
        Err(FolderError::Faults(dir, error)) => {
            let error = of_argument(error, args.policies.as_ref().map(|_| "--policies"));
            return folder_fault::report(Some(&dir), error, args.output.json, out);
        }
        Err(FolderError::Other(error)) => return Err(error),
    };
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or_else(processors);
    let ask = |earlier: &EarlierSnapshots| {
        let progress = Progress::default();
        let _shown = progress::show("replaying, bytes", args.output, &progress);
        let policies = asked.policies();
        replay(&args.log, &policies, earlier, mode, threads, &progress)
            .map_err(|error| Error::DecisionLog(error.path, error.reason))
    };
    let mut outcome = ask(&EarlierSnapshots::new())?;
    let mut unreadable = Vec::new();
    if mode == ReplayMode::Reproduce && !outcome.other_policies.is_empty() {
        let earlier = earlier(&args.settings, &asked, &outcome, &mut unreadable)?;
        if !earlier.is_empty() {
            outcome = ask(&earlier)?;
        }
    }
    if args.output.json {
        let mut document = asked.named(serde_json::to_value(&outcome)?);
        if let Some(members) = document.as_object_mut() {
            members.insert("unreadable_policies".to_owned(), json!(unreadable));
        }
        document_to(out, &document)?;
    } else {
        print_flips(&outcome, out)?;
        print_notes(&outcome, out)?;
        for report in &unreadable {
            writeln!(out, "note: {}", report.trim_end())?;
        }
        print_summary(&outcome, mode, out)?;
        write!(out, "{}", asked.lines())?;
    }
    let differs = match mode {
        ReplayMode::Candidate => outcome.flips > 0,
        ReplayMode::Reproduce => outcome.flips + outcome.other_reasons > 0,
    };
    let incomplete = outcome.unreadable + outcome.masked + outcome.unasked > 0
        || (mode == ReplayMode::Reproduce && !is_whole(&outcome, &args.domain));
    Ok(ExitCode::from(match (differs, incomplete) {
        (true, _) => FLIPS,
        (false, true) => INCOMPLETE,
        (false, false) => SAME,
    }))
}

/// Whether all that should be reproduced was asked.
fn is_whole(outcome: &ReplayReport, asked: &DomainArg) -> bool {
    outcome.other_policies.is_empty()
        && (asked.domain.is_some() || outcome.domains_left_out.is_empty())
}

fn in_force(settings: &SettingsArgs, domain: Option<&str>) -> Result<Option<Snapshot>, Error> {
    settings.operate(async |operator| revision::in_force(operator, domain).await)
}

/// The policies of the log's decisions, as far as the database has them. Those that this version cannot read are
/// reported in `unreadable`; their decisions count as taken by other policies.
fn earlier(
    settings: &SettingsArgs,
    asked: &AskedPolicies,
    outcome: &ReplayReport,
    unreadable: &mut Vec<String>,
) -> Result<EarlierSnapshots, Error> {
    settings.operate(async |operator| {
        let mut earlier = EarlierSnapshots::new();
        for domain in asked.domains() {
            for digest in outcome.other_policies.keys() {
                match revision::of_digest(operator, domain, digest).await {
                    Ok(Some(snapshot)) => {
                        let of_domain = earlier.entry(domain.unwrap_or_default().to_owned());
                        of_domain.or_default().insert(digest.clone(), snapshot);
                    }
                    Ok(None) => {}
                    Err(Error::Policies(report)) => unreadable.push(report),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(earlier)
    })
}

fn print_flips(outcome: &ReplayReport, out: &mut dyn Write) -> io::Result<()> {
    for (flip, group) in &outcome.groups {
        let becomes = match flip.direction {
            Direction::Wider => "denied, would be allowed",
            Direction::Narrower => "allowed, would be denied",
            Direction::Reason => "the same answer for another reason",
        };
        let of = match &flip.domain {
            Some(domain) => format!(" in the domain `{domain}`"),
            None => String::new(),
        };
        writeln!(out, "{}{of}: {becomes}", flip.permission)?;
        let asked = match &flip.via {
            Some(via) => format!(" (asked through: {via})"),
            None => String::new(),
        };
        let times = counted(group.count, "time", "times");
        writeln!(out, "  {times}: {}{asked}", flip.principal)?;
        for example in &group.examples {
            writeln!(
                out,
                "    {} {} on {}: {}; now {}",
                example.at, example.id, example.resource, example.recorded, example.now
            )?;
        }
    }
    for place in &outcome.unreadable_examples {
        writeln!(out, "{place}")?;
    }
    Ok(())
}

/// A note that begins with what is counted, if there is any; `of` is one and several.
fn note(out: &mut dyn Write, count: u64, of: (&str, &str), what: &str) -> io::Result<()> {
    if count > 0 {
        writeln!(out, "note: {} {what}", counted(count, of.0, of.1))
    } else {
        Ok(())
    }
}

fn print_notes(outcome: &ReplayReport, out: &mut dyn Write) -> io::Result<()> {
    if outcome.evaluations > 0 {
        writeln!(
            out,
            "note: {} of the decisions were only asked about, through the evaluation endpoint; {} of them flip",
            outcome.evaluations, outcome.evaluation_flips
        )?;
    }
    note(
        out,
        outcome.masked,
        ("record is", "records are"),
        "masked and cannot be evaluated again",
    )?;
    note(
        out,
        outcome.unaskable,
        ("of them is a question", "of them are questions"),
        "that the schema allows neither then nor now: denied for it",
    )?;
    note(
        out,
        outcome.unasked,
        ("question", "questions"),
        "cannot be put as asked: the schema does not know the types or names, or the facts are not on record",
    )?;
    note(
        out,
        outcome.unfinished,
        ("last line is", "last lines are"),
        "not whole: a process died, or is writing",
    )?;
    note(
        out,
        outcome.unreadable,
        ("line", "lines"),
        "could not be read",
    )?;
    note(
        out,
        outcome.built_in_left_out,
        ("decision is", "decisions are"),
        "of the built-in domain, which is not asked here",
    )?;
    for (domain, count) in &outcome.domains_left_out {
        let what = format!("of the domain `{domain}`, which is not asked here");
        note(out, *count, ("decision is", "decisions are"), &what)?;
    }
    Ok(())
}

fn print_summary(outcome: &ReplayReport, mode: ReplayMode, out: &mut dyn Write) -> io::Result<()> {
    if mode == ReplayMode::Reproduce {
        for (digest, count) in &outcome.other_policies {
            writeln!(
                out,
                "note: {} taken by other policies, with the digest {digest}: name their folder with `--policies`",
                counted(*count, "decision was", "decisions were")
            )?;
        }
        writeln!(
            out,
            "{} of {} decisions asked again, {} not reproduced",
            outcome.replayed + outcome.unaskable,
            outcome.decisions,
            outcome.flips + outcome.other_reasons
        )?;
    } else {
        note(
            out,
            outcome.other_reasons,
            ("decision has", "decisions have"),
            "the same answer for another reason, or by other policies",
        )?;
        writeln!(
            out,
            "{} of {} decisions asked again, {} would flip",
            outcome.replayed + outcome.unaskable,
            outcome.decisions,
            outcome.flips
        )?;
    }
    Ok(())
}
