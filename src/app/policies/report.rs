//! What is said and recorded of policies that were checked.

use charter_authz::engine::Health;
use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_domain::timestamp::Timestamp;
use charter_policy::gates::{self, Verdict};
use charter_store::{NewPolicyRevision, Store, TakenAs};

/// A log line or `/readyz` is not the place for more.
const MAX_REASON_BYTES: usize = 8_000;

/// What is recorded of a folder that is in force from a time on.
pub(super) fn revision(
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

/// Logs what was found beside refusals.
pub(super) fn log_findings(verdict: &Verdict) {
    for finding in &verdict.warnings {
        tracing::warn!(gate = finding.gate.as_str(), "{}", finding.report);
    }
    for (gate, reason) in &verdict.not_run {
        tracing::warn!(
            gate = gate.as_str(),
            reason,
            "a check of the policies was not run"
        );
    }
}

/// What the gates found beside refusals. Of an emergency stop, it would have held any other edit up.
pub(super) fn health(verdict: &Verdict) -> Health {
    let not_run = |(gate, reason): (&gates::Gate, &String)| format!("{gate}: {reason}");
    let found = verdict.warnings.iter().map(gates::Finding::text).collect();
    let (failed_checks, warnings) = if verdict.is_stop {
        (found, Vec::new())
    } else {
        (Vec::new(), found)
    };
    Health {
        failed_checks,
        warnings,
        not_run: verdict.not_run.iter().map(not_run).collect(),
        ..Health::default()
    }
}

/// Has the files that are not read among the warnings, and logs those that are new there.
pub(super) fn tell_unread(health: &mut Health, unread: &[String]) {
    let known: Vec<String> = health
        .warnings
        .extract_if(.., |warning| warning.starts_with("files:"))
        .collect();
    for told in unread.iter().filter(|told| !known.contains(told)) {
        tracing::warn!("{told}");
    }
    health.warnings.extend_from_slice(unread);
}

/// Names that somebody has and the policies do not know: they count for nothing. `None` if they
/// cannot be read now.
pub(in crate::app) async fn warn_of_unknown_names(
    store: &Store,
    snapshot: &Snapshot,
) -> Option<Vec<String>> {
    let names = match store.granted_names().await {
        Ok(names) => names,
        Err(error) => {
            tracing::warn!(%error, "roles and permissions in the database could not be held against the policies");
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
            format!("names: somebody has the {what} `{name}`, which the schema does not have; it counts for nothing and can be taken away")
        });
    let warnings: Vec<String> = warnings.collect();
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    Some(warnings)
}

/// A reason as `/readyz` and the log have room for.
pub(super) fn shortened(mut reason: String) -> String {
    if reason.len() > MAX_REASON_BYTES {
        let end = (0..=MAX_REASON_BYTES)
            .rev()
            .find(|&end| reason.is_char_boundary(end));
        reason.truncate(end.unwrap_or(0));
        reason.push_str("\n… `charter policy check`, `test` and `prove` show the rest");
    }
    reason
}
