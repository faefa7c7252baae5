//! `charter policy approve`: approves an edit that was held back.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::clock::{Clock, SystemClock};
use charter_domain::entropy::OsEntropy;
use charter_domain::id::ApprovalId;
use charter_domain::progress::Progress;
use charter_domain::text::{Name, is_forbidden};
use charter_policy::diff;
use charter_policy::domain_arg::DomainArg;
use charter_policy::solver::{Solver, SolverLimits};
use charter_store::{self as store, LastRevision, NewPolicyApproval};

use super::super::Error;
use super::super::operator::{Operator, SettingsArgs};
use super::super::output::OutputArgs;
use super::super::progress;
use super::folder_args::unknown_domain;

/// The longest reason, in bytes.
const MAX_REASON: usize = 1_000;

/// Approve the current policy folder as the successor of the policies in force
///
/// Shows everything that would change. The approval is for this one step: it is void when the folder or the
/// policies in force change. With `--domain`, of the domain's folder as the successor of the domain's policies.
#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    /// The folder's digest, as /readyz and `charter policy check` show it
    #[arg(value_name = "DIGEST")]
    digest: String,
    /// Why, for the audit trail
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    domain: DomainArg,
    #[command(flatten)]
    by: OperatorNameArgs,
    /// Do not ask for confirmation on a terminal; implied by `--json`
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The operator's name.
#[derive(Debug, Args)]
pub(super) struct OperatorNameArgs {
    /// Who you are, for the audit trail; your name on this machine if left out
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl OperatorNameArgs {
    pub(super) fn name(&self, operator: &Operator) -> Result<String, Error> {
        let name = self
            .by
            .as_ref()
            .or(operator.settings.policies.operator.as_ref());
        let name = name.map(|name| name.trim()).unwrap_or_default();
        if name.is_empty() {
            return Err(Error::argument(
                "--by",
                "must name you: this machine does not say who you are",
            ));
        }
        let name = Name::parse(name).map_err(|fault| Error::argument("--by", fault))?;
        Ok(name.as_str().to_owned())
    }

    /// The audit context with the operator's name.
    pub(super) fn audit_context(&self, operator: &Operator) -> Result<AuditContext, Error> {
        Ok(AuditContext {
            actor: Actor::Operator(Some(self.name(operator)?)),
            ..operator.audit_context()
        })
    }
}

/// Records the approval. The service takes the folder within a second or two.
///
/// # Errors
///
/// The digest is not the folder's, or the operator has approved it already.
pub(super) fn run(args: &ApproveArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let reason = args.reason.trim();
    if reason.is_empty() || reason.len() > MAX_REASON || reason.chars().any(is_forbidden) {
        return Err(Error::argument(
            "--reason",
            format!("must say why, in one line of at most {MAX_REASON} bytes"),
        ));
    }
    args.settings.operate(async |operator| {
        let name = args.by.name(operator)?;
        let policies = &operator.settings.policies.dir;
        let dir = &args.domain.within(policies).map_err(unknown_domain)?;
        let folder = args.folder(dir)?;
        let domain = args.domain.domain.as_deref();
        let last = operator.store.last_policy_revision(domain).await?;
        if let LastRevision::Known(revision, _) = &last
            && *revision.whole_digest == **folder.whole_digest()
        {
            return Err(args.refused("is in force already"));
        }
        let mut changes = Vec::new();
        let progress = Progress::default();
        let shown = progress::show("comparing, kinds of request", args.output, &progress);
        show_changes(operator, dir, &folder, &last, &progress, &mut changes)?;
        drop(shown);
        if !args.output.json {
            out.write_all(&changes)?;
        }
        let missing = args.missing_after(operator, &folder, &last, &name).await?;
        if !args.yes && !args.output.json && io::stdin().is_terminal() && !is_confirmed(out)? {
            writeln!(out, "not approved")?;
            return Ok(ExitCode::FAILURE);
        }
        let new = NewPolicyApproval {
            id: ApprovalId::generate(SystemClock::start().now(), &OsEntropy),
            whole_digest: folder.whole_digest().to_string(),
            base: last.sequence(),
            approved_by: name,
            reason: reason.to_owned(),
        };
        let id = new.id;
        args.record(operator, new).await?;
        let document = || {
            json!({
                "id": id.to_string(),
                "whole_folder": folder.whole_digest().to_string(),
                "missing_approvals": missing,
                "changes": String::from_utf8_lossy(&changes),
            })
        };
        args.output.either(out, document, |out| {
            writeln!(out, "approved {} as {id}", folder.whole_digest())?;
            if missing > 0 {
                writeln!(out, "{missing} more must approve it (`policies.approvals`)")?;
            }
            Ok(())
        })?;
        Ok(ExitCode::SUCCESS)
    })
}

impl ApproveArgs {
    fn refused(&self, why: impl Into<String>) -> Error {
        Error::refused(self.digest.trim().to_owned(), why)
    }

    /// The folder, if it is the one that is meant.
    fn folder(&self, dir: &Path) -> Result<Folder, Error> {
        let folder = Folder::read(dir)?;
        if *self.digest.trim() != **folder.whole_digest() {
            return Err(self.refused(format!(
                "is not the folder `{}` as it is now, whose digest is {}",
                dir.display(),
                folder.whole_digest()
            )));
        }
        Ok(folder)
    }

    /// How many more must approve after this operator.
    async fn missing_after(
        &self,
        operator: &Operator,
        folder: &Folder,
        last: &LastRevision,
        name: &str,
    ) -> Result<usize, Error> {
        let needed = operator.settings.policies.approvals;
        let before = operator
            .store
            .approvals_of(folder.whole_digest(), last.sequence())
            .await?;
        let mut approvers: BTreeSet<String> = before
            .iter()
            .map(|approval| store::normalized_approver(&approval.approved_by))
            .collect();
        if !approvers.insert(store::normalized_approver(name)) {
            return Err(self.refused(format!(
                "is approved by {name} already; {needed} different people are needed"
            )));
        }
        Ok(needed.saturating_sub(approvers.len()))
    }

    async fn record(&self, operator: &Operator, new: NewPolicyApproval) -> Result<(), Error> {
        let domain = self.domain.domain.as_deref();
        let by = self.by.audit_context(operator)?;
        match operator.store.approve_policies(domain, new, &by).await {
            Err(store::Error::Stale) => Err(self.refused(
                "was compared with policies that are no longer in force: review it again",
            )),
            other => Ok(other?),
        }
    }
}

/// Prints the changes that are approved.
fn show_changes(
    operator: &Operator,
    dir: &Path,
    folder: &Folder,
    last: &LastRevision,
    progress: &Progress,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let new = Snapshot::from_folder(folder)?;
    writeln!(out, "folder      {}", dir.display())?;
    let LastRevision::Known(revision, files) = last else {
        writeln!(out, "in force    unknown: the whole folder counts as new")?;
        let changes = diff::text_changes((&Files::new(), None), (folder.files(), None));
        return Ok(write!(out, "{changes}")?);
    };
    writeln!(
        out,
        "in force    revision {}, {}",
        revision.sequence, revision.whole_digest
    )?;
    let before =
        Folder::from_files(dir, files.clone()).and_then(|before| Snapshot::from_folder(&before));
    let changes = diff::text_changes((files, before.as_ref().ok()), (folder.files(), Some(&new)));
    write!(out, "{changes}")?;
    let Ok(before) = before else {
        writeln!(
            out,
            "note: this version cannot load the policies in force, so meanings are not compared"
        )?;
        return Ok(());
    };
    let compared = Solver::find(operator.settings.policies.solver.as_deref())
        .map_err(|error| error.to_string())
        .and_then(|solver| {
            let solver = solver.with_progress(progress);
            diff::compare_sets(
                &before,
                &new,
                &solver,
                SolverLimits::default(),
                &SystemClock::start(),
            )
            .map_err(|error| error.to_string())
        });
    match compared {
        Ok(diff) => write!(out, "{}", diff.with_facts(files, folder.files()).report())?,
        Err(reason) => writeln!(out, "note: meanings are not compared: {reason}")?,
    }
    if new.is_custom_domain() {
        return Ok(());
    }
    match diff::role_changes(&before, &new, SystemClock::start().now()) {
        Ok(roles) => write!(out, "{roles}")?,
        Err(error) => writeln!(out, "note: roles are not compared: {error}")?,
    }
    Ok(())
}

fn is_confirmed(out: &mut dyn Write) -> io::Result<bool> {
    write!(out, "approve all of this? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "yes"))
}
