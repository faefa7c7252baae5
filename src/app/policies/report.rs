//! What is logged, reported and recorded about checked policies.

use std::sync::Arc;
use std::time::Duration;

use charter_authz::folder::{Files, Folder};
use charter_authz::gate_outcome::{GateOutcome, GateResult};
use charter_authz::policy_health::PolicyHealth;
use charter_authz::snapshot::Snapshot;
use charter_domain::timestamp::Timestamp;
use charter_policy::gates::{self, GateFinding, GateVerdict, PolicyGate};
use charter_store::{NewPolicyRevision, Store, TakenAs};

/// Longer reasons are truncated for the log and `/readyz`.
const MAX_REASON_BYTES: usize = 8_000;

/// Warning of `/readyz` while the revision is not recorded.
pub(super) const NOT_RECORDED: &str = "notes: could not persist the active policy revision; retrying each second. \
    Until then nothing can be approved, and a restart would compare with the previous revision";
/// Warning of `/readyz` until an emergency stop is checked.
pub(super) const NOT_CHECKED: &str =
    "stop: an emergency stop is in force, its checks have not finished";
/// The same for a domain's folder that has not changed since it was accepted.
pub(super) const NOT_CHECKED_AGAIN: &str =
    "start: the folder is as it was accepted last, its checks since the start have not finished";
/// What is refused; both `None` if it could not be read.
#[derive(Default)]
pub(super) struct RefusedSubject {
    /// Digest of the whole folder.
    pub(super) digest: Option<Arc<str>>,
    pub(super) files: Option<Arc<Files>>,
}

/// The revision to record for a folder.
pub(super) fn new_revision(
    folder: &Folder,
    version: Option<u64>,
    taken_as: TakenAs,
    at: Timestamp,
) -> NewPolicyRevision {
    NewPolicyRevision {
        whole_digest: folder.whole_digest().to_string(),
        policy_digest: folder.digest().to_string(),
        manifest_version: version,
        files: folder.files().clone(),
        taken_as,
        in_force_from: at,
    }
}

/// Logs findings that are no refusals.
pub(super) fn log_findings(verdict: &GateVerdict) {
    for finding in &verdict.warnings {
        tracing::warn!(gate = finding.gate.as_str(), "{}", finding.report);
    }
    for (gate, reason) in &verdict.not_run {
        tracing::warn!(gate = gate.as_str(), reason, "a policy check was not run");
    }
}

/// The health after a check. Findings of an emergency stop would have refused any other edit.
pub(super) fn health(verdict: &GateVerdict) -> PolicyHealth {
    let not_run = |(gate, reason): (&gates::PolicyGate, &String)| format!("{gate}: {reason}");
    let found = verdict
        .warnings
        .iter()
        .map(gates::GateFinding::text)
        .collect();
    let (failed_checks, warnings) = if verdict.is_stop {
        (found, Vec::new())
    } else {
        (Vec::new(), found)
    };
    PolicyHealth {
        failed_checks,
        warnings,
        not_run: verdict.not_run.iter().map(not_run).collect(),
        gates: gate_outcomes(verdict),
        ..PolicyHealth::default()
    }
}

/// How each gate ended. What an earlier gate refused does not reach the later ones.
pub(super) fn gate_outcomes(verdict: &GateVerdict) -> Vec<GateOutcome> {
    let of = |findings: &[GateFinding], gate: PolicyGate| -> Option<GateFinding> {
        findings
            .iter()
            .find(|finding| finding.gate == gate)
            .cloned()
    };
    let is_unreadable = verdict
        .refusals
        .iter()
        .any(|it| matches!(it.gate, PolicyGate::Folder | PolicyGate::Validation));
    let mut is_reached = true;
    let outcome = |gate: PolicyGate| {
        let took = verdict.took_millis.get(&gate).copied();
        let took = took.map(Duration::from_millis);
        let (refusal, warning) = (of(&verdict.refusals, gate), of(&verdict.warnings, gate));
        let not_run = verdict.not_run.get(&gate).cloned();
        let always = matches!(gate, PolicyGate::Folder | PolicyGate::Validation);
        let result = match (&refusal, &warning, &not_run) {
            (Some(_), _, _) => GateResult::Refused,
            (None, Some(_), _) => GateResult::Warned,
            (None, None, Some(_)) => GateResult::NotRun,
            _ if !is_reached || (is_unreadable && !always) => GateResult::NotRun,
            _ if took.is_some() || always => GateResult::Passed,
            _ => GateResult::Off,
        };
        is_reached &= refusal.is_none() || !always;
        let finding = refusal.or(warning);
        let findings = finding.as_ref().and_then(|finding| finding.details.clone());
        GateOutcome {
            gate: gate.as_str(),
            result,
            took,
            report: finding.map(|finding| finding.report).or(not_run),
            findings,
        }
    };
    PolicyGate::ALL.into_iter().map(outcome).collect()
}

/// Adds the ignored files to the warnings, and logs new ones.
pub(super) fn report_unread(health: &mut PolicyHealth, unread: &[String]) {
    let known: Vec<String> = health
        .warnings
        .extract_if(.., |warning| warning.starts_with("files:"))
        .collect();
    for warning in unread.iter().filter(|it| !known.contains(it)) {
        tracing::warn!("{warning}");
    }
    health.warnings.extend_from_slice(unread);
}

/// Granted roles and permissions that the schema does not declare; they have no effect. `None` if they cannot be
/// read now.
pub(in crate::app) async fn warn_of_unknown_names(
    store: &Store,
    snapshot: &Snapshot,
) -> Option<Vec<String>> {
    let names = match store.granted_names().await {
        Ok(names) => names,
        Err(error) => {
            tracing::warn!(%error, "could not compare the roles and permissions in the database with the schema");
            return None;
        }
    };
    let catalogue = snapshot.catalogue();
    let roles = names.roles.iter().filter(|name| !catalogue.has_role(name));
    let permissions = names
        .permissions
        .iter()
        .filter(|name| !catalogue.has_permission(name));
    let warnings = roles
        .map(|name| ("role", name))
        .chain(permissions.map(|name| ("permission", name)))
        .map(|(what, name)| {
            format!("names: the {what} `{name}` is granted, but the schema does not have it; it has no effect and can be revoked")
        });
    let warnings: Vec<String> = warnings.collect();
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    Some(warnings)
}

/// What helps a check that did not finish.
pub(super) const MORE_TIME: &str =
    "`policies.check_timeout` and `policies.check_timeout_per_policy` give it more time";

/// Truncates a reason for the log and `/readyz`.
pub(super) fn shortened(mut reason: String) -> String {
    if reason.len() > MAX_REASON_BYTES {
        let end = (0..=MAX_REASON_BYTES)
            .rev()
            .find(|&end| reason.is_char_boundary(end));
        reason.truncate(end.unwrap_or(0));
        reason.push_str(
            "\n… `charter policy check`, `test` and `prove` show the rest; of invariants in force that the folder does \
             not have, `charter policy prove --against` a folder that has them, and `charter policy approve` ends them",
        );
    }
    reason
}

/// Names the folder in force, and since when it is.
pub(super) fn set_folder(health: &mut PolicyHealth, folder: &Folder, since: Timestamp) {
    health.whole_digest = Some(Arc::clone(folder.whole_digest()));
    health.files = Arc::new(folder.files().clone());
    health.since = Some(since);
}

/// Sets or removes a warning.
pub(super) fn set_warning(warnings: &mut Vec<String>, warning: &str, holds: bool) {
    warnings.retain(|found| found != warning);
    warnings.extend(holds.then(|| warning.to_owned()));
}
