//! `charter audit`: the record of changes, to be read, and whether anybody changed it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Error;
use super::operator::{Operator, SettingsArgs};
use charter_domain::caller::Scope;
use charter_domain::timestamp;
use charter_store::AuditFilter;

/// Read and verify the audit trail
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List an organization's events, newest first, one JSON object a line
    List(ListArgs),
    /// Find edited, missing, reordered, inserted and cut-off events
    Verify {
        /// Heads of the chains, kept outside the database; the data directory's if left out
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
    },
}

/// Which events.
#[derive(Debug, Args)]
struct ListArgs {
    /// The organization's id, code or slug
    organization: String,
    /// Not older than this, `YYYY-MM-DDTHH:MM:SSZ`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Older than this
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// By this actor only, such as `operator`, `sa-…` or `user-…`
    #[arg(long)]
    actor: Option<String>,
    /// Of this action only, such as `accounts:UpdateAccount`
    #[arg(long)]
    action: Option<String>,
    /// Before this number, to go on where a list ended
    #[arg(long, value_name = "SEQUENCE")]
    before: Option<i64>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u64,
}

async fn list(operator: &Operator, args: &ListArgs, out: &mut dyn Write) -> Result<(), Error> {
    let time = |name, text: &Option<String>| {
        let parsed = text.as_deref().map(timestamp::parse).transpose();
        parsed.map_err(|error| Error::argument(name, error))
    };
    let filter = AuditFilter {
        since: time("--since", &args.since)?,
        until: time("--until", &args.until)?,
        actor: args.actor.clone(),
        action: args.action.clone(),
        before: args.before,
        limit: args.limit,
    };
    let organization = operator.organization(&args.organization).await?;
    let tenant = operator.store.within(Scope::of_operator(organization.id));
    for event in tenant.audit_events(&filter).await? {
        let line = json!({
            "sequence": event.sequence,
            "at": timestamp::format(event.at),
            "actor": event.actor,
            "action": event.action,
            "object": event.object,
            "changes": event.changes,
            "request_id": event.request_id,
            "policy_digest": event.policy_digest,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Lists or verifies; exit code 1 if anything is wrong.
///
/// # Errors
///
/// The settings' or the database's faults, or the heads cannot be read.
pub fn run(args: &AuditArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    args.settings.operate(async |operator| {
        let heads = match &args.command {
            Command::List(args) => {
                list(operator, args, out).await?;
                return Ok(ExitCode::SUCCESS);
            }
            Command::Verify { heads } => heads,
        };
        let default = operator.settings.data_dir.join("audit-heads.jsonl");
        let heads = heads.as_deref().unwrap_or(&default);
        let report = operator.store.verify_audit(Some(heads)).await?;
        for finding in &report.findings {
            writeln!(out, "{finding}")?;
        }
        for line in &report.torn_heads {
            writeln!(
                out,
                "note: line {line} of the file of heads begins with one that a full disk or a crash cut short"
            )?;
        }
        writeln!(
            out,
            "{} organizations, {} events and {} heads checked, {} findings",
            report.organizations,
            report.events,
            report.heads,
            report.findings.len()
        )?;
        Ok(ExitCode::from(u8::from(!report.findings.is_empty())))
    })
}
