//! `charter policy approvals` and `withdraw`: lists and withdraws approvals.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use charter_domain::id::ApprovalId;
use charter_domain::timestamp;
use charter_store::{self as store, PolicyApproval};

use super::super::Error;
use super::super::operator::SettingsArgs;
use super::super::output::OutputArgs;
use super::approve::OperatorNameArgs;

/// List the approvals of policy folders, newest first
#[derive(Debug, Args)]
pub(super) struct ApprovalsArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Withdraw an approval that was not used yet
#[derive(Debug, Args)]
pub(super) struct WithdrawArgs {
    /// The approval, `approval-…`, as `charter policy approvals` lists it
    #[arg(value_name = "APPROVAL")]
    id: String,
    #[command(flatten)]
    by: OperatorNameArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn list(args: &ApprovalsArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    args.settings.operate(async |operator| {
        let approvals = operator.store.policy_approvals().await?;
        let mut current = BTreeMap::new();
        for domain in approvals.iter().map(|approval| &approval.domain) {
            if !current.contains_key(domain) {
                let last = operator.store.last_policy_revision(domain.as_deref());
                current.insert(domain.clone(), last.await?.sequence());
            }
        }
        let current = |approval: &PolicyApproval| current.get(&approval.domain).copied();
        let document = || {
            let approvals = approvals.iter();
            approvals
                .map(|approval| document_of(approval, current(approval)))
                .collect()
        };
        args.output.either(out, document, |out| {
            approvals.iter().try_for_each(|approval| {
                let domain = approval.domain.as_ref();
                let domain = domain.map_or_else(String::new, |name| format!("domain {name} "));
                writeln!(
                    out,
                    "{}  {}  {}  {domain}{}  by {}: {}",
                    approval.id,
                    timestamp::format(approval.approved_at),
                    state_text(approval, current(approval)),
                    approval.whole_digest,
                    approval.approved_by,
                    approval.reason
                )
            })
        })?;
        Ok(ExitCode::SUCCESS)
    })
}

fn document_of(approval: &PolicyApproval, current: Option<i64>) -> Value {
    let state = match (approval.used_by, approval.withdrawn_at) {
        (Some(_), _) => "used",
        (None, Some(_)) => "withdrawn",
        (None, None) if Some(approval.base) == current => "open",
        (None, None) => "void",
    };
    json!({
        "id": approval.id.to_string(),
        "state": state,
        "domain": approval.domain,
        "whole_folder": approval.whole_digest,
        "approved_by": approval.approved_by,
        "reason": approval.reason,
        "approved_at": timestamp::format(approval.approved_at),
        "base_revision": approval.base,
        "used_for_revision": approval.used_by,
        "withdrawn_at": approval.withdrawn_at.map(timestamp::format),
    })
}

fn state_text(approval: &PolicyApproval, current: Option<i64>) -> String {
    match (approval.used_by, approval.withdrawn_at) {
        (Some(revision), _) => format!("used for revision {revision}"),
        (None, Some(_)) => "withdrawn".to_owned(),
        (None, None) if Some(approval.base) == current => "open".to_owned(),
        (None, None) => "void: the policies in force have changed since".to_owned(),
    }
}

/// # Errors
///
/// The approval does not exist or is used.
pub(super) fn withdraw(args: &WithdrawArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let id: ApprovalId = args
        .id
        .parse()
        .map_err(|error| Error::argument(args.id.clone(), format!("is {error}")))?;
    args.settings.operate(async |operator| {
        let by = args.by.audit_context(operator)?;
        match operator.store.withdraw_approval(id, &by).await {
            Err(store::Error::NotFound) => Err(Error::refused(
                id.to_string(),
                "is not an open approval: `charter policy approvals` lists them",
            )),
            Err(store::Error::Stale) => Err(Error::refused(
                id.to_string(),
                "is used, and the folder is in force; `charter policy rollback` restores earlier policies",
            )),
            other => {
                other?;
                args.output.either(
                    out,
                    || json!({"withdrawn": id.to_string()}),
                    |out| writeln!(out, "withdrawn {id}"),
                )?;
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}
