//! `charter audit`: lists and verifies the audit log.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::operator::{Operator, OperatorArgs};
use super::output::document_to;
use super::{Error, progress};
use charter_domain::progress::Progress;
use charter_domain::timestamp;
use charter_store::audit_verify::Report as AuditReport;
use charter_store::{AuditFilter, EntityRef, ListedEvent};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the events of an organization or of the installation, newest first, one JSON object a line
    List(ListArgs),
    /// Find edited, missing, reordered, inserted and cut-off events
    Verify {
        /// The file of heads, kept outside the database; if left out, the data directory's
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The organization's id, code or slug
    #[arg(required_unless_present = "installation")]
    organization: Option<String>,
    /// Events of the installation: approvals of policies, and policies in force
    #[arg(long, conflicts_with = "organization")]
    installation: bool,
    /// From this time on, `YYYY-MM-DDTHH:MM:SSZ`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only by this actor, such as `operator`, `sa-…` or `user-…`
    #[arg(long)]
    actor: Option<String>,
    /// Only of this action, such as `accounts:UpdateAccount`
    #[arg(long)]
    action: Option<String>,
    /// Only of the object with this id, such as `key-…`
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// Before this sequence number, to continue a list
    #[arg(long, value_name = "SEQUENCE")]
    before: Option<i64>,
    /// Maximal number of events
    #[arg(long, default_value_t = 50)]
    limit: u64,
}

async fn list(operator: &Operator, args: &ListArgs) -> Result<Vec<ListedEvent>, Error> {
    let time = |name, text: &Option<String>| {
        let parsed = text.as_deref().map(timestamp::parse).transpose();
        parsed.map_err(|error| Error::argument(name, error))
    };
    let filter = AuditFilter {
        since: time("--since", &args.since)?,
        until: time("--until", &args.until)?,
        actor: args.actor.clone(),
        action: args.action.clone(),
        object: args.object.clone(),
        before: args.before,
        limit: args.limit,
    };
    Ok(match &args.organization {
        Some(named) => {
            let organization = operator.organization(named).await?;
            let named = EntityRef::Organization(organization.id);
            operator.reader(named).await?.audit_events(&filter).await?
        }
        None => operator.store.installation_audit_events(&filter).await?,
    })
}

fn shown((sequence, event): &ListedEvent) -> Value {
    match event {
        Ok(event) => json!({
            "sequence": sequence,
            "at": timestamp::format(event.at),
            "actor": event.actor,
            "action": event.action,
            "object": event.object,
            "changes": event.changes,
            "request_id": event.request_id,
            "policy_digest": event.policy_digest,
        }),
        Err(error) => json!({"sequence": sequence, "unreadable": error.to_string()}),
    }
}

/// Exit code 1 if there are findings, or an event that cannot be listed.
pub(super) fn run(args: &OperatorArgs<Command>, out: &mut dyn Write) -> Result<ExitCode, Error> {
    args.settings.operate(async |operator| {
        let heads = match &args.command {
            Command::List(filter) => {
                let events = list(operator, filter).await?;
                let all: Vec<_> = events.iter().map(shown).collect();
                args.output.list(out, &all)?;
                let is_whole = events.iter().all(|(_, event)| event.is_ok());
                return Ok(ExitCode::from(u8::from(!is_whole)));
            }
            Command::Verify { heads } => heads,
        };
        let default = operator.settings.data_dir.join("audit-heads.jsonl");
        let heads = heads.as_deref().unwrap_or(&default);
        let progress = Progress::default();
        let shown = progress::show("checking the audit trail, events", args.output, &progress);
                let report = operator.store.verify_audit(Some(heads), &progress).await?;
        drop(shown);
        if args.output.json {
            let findings = report.findings.iter().map(ToString::to_string);
            let document = json!({
                "organizations": report.organizations,
                "events": report.events,
                "heads": report.heads,
                "findings": findings.collect::<Vec<_>>(),
                "torn_heads": report.torn_heads,
            });
            document_to(out, &document)?;
            return Ok(verdict(&report));
        }
        for finding in &report.findings {
            writeln!(out, "{finding}")?;
        }
        for line in &report.torn_heads {
            writeln!(
                out,
                "note: line {line} of the file of heads begins with an incomplete one, left by a full disk or a crash"
            )?;
        }
        writeln!(
            out,
            "organizations: {}, events: {}, heads: {}, findings: {}",
            report.organizations,
            report.events,
            report.heads,
            report.findings.len()
        )?;
        Ok(verdict(&report))
    })
}

fn verdict(report: &AuditReport) -> ExitCode {
    ExitCode::from(u8::from(!report.findings.is_empty()))
}
