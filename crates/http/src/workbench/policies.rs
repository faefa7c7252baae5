//! `GET /policies`: the policies in force, the refused folder, and the shadow.

use std::time::Duration;

use charter_macros::boxed;
use salvo::prelude::Json;
use salvo::{Depot, Request, handler};
use serde::Serialize;
use serde_json::Value;

use charter_authz::failures::EvaluationFailure;
use charter_authz::folder::Files;
use charter_authz::gate_outcome::{GateOutcome, GateResult};
use charter_authz::policy_health::{PolicyHealth, RefusedFolder, ShadowInUse};
use charter_authz::snapshot::Snapshot;
use charter_decision_log::ShadowDomain;
use charter_domain::timestamp::{self, Timestamp};

use super::admission::OperatorRequest;
use super::asked_domain;
use super::folder_content::{Content, FileBody, PolicyBody, changed, files, invariants, policies};
use super::listed_domains::DomainBody;
use super::replicas::ReplicaBody;
use crate::extract::query::Query;
use crate::respond::ApiError;
use crate::state::{DomainState, State};

/// Time limit for the database's list of replicas. All else is in memory.
const REPLICAS_DEADLINE: Duration = Duration::from_secs(1);

/// Shows the policies, with `domain` those of a domain of one's own; with `without_texts=true` without the files'
/// texts.
#[handler]
#[boxed]
pub(super) async fn show(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<PoliciesBody>, ApiError> {
    let asked = OperatorRequest::of(request, depot)?;
    let mut query = Query::parse(request.uri().query())?;
    let without_texts = query.boolean("without_texts")?;
    let domain = asked_domain::parameter(&mut query)?;
    query.finish()?;
    let mut body = match domain {
        None => PoliciesBody::of(&asked.state, !without_texts),
        Some(name) => {
            let domain = asked_domain::custom(&name, &asked.state)?;
            let shadow = asked.state.workbench.shadow_of(&name);
            PoliciesBody::of_domain(&domain, shadow, asked.state.clock.now(), !without_texts)
        }
    };
    body.domains = DomainBody::all(&asked.state);
    body.replicas = replicas(&asked).await;
    Ok(Json(body))
}

/// `None` if the database does not answer.
async fn replicas(asked: &OperatorRequest) -> Option<Vec<ReplicaBody>> {
    let operator = asked.operator();
    let fault = match tokio::time::timeout(REPLICAS_DEADLINE, operator.replicas()).await {
        Ok(Ok(replicas)) => {
            let now = asked.state.clock.now();
            let shown = |replica| ReplicaBody::of(replica, now);
            return Some(replicas.into_iter().map(shown).collect());
        }
        Ok(Err(error)) => error.to_string(),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(
        fault,
        "the policies are shown without the replicas: the database cannot be asked"
    );
    None
}

#[derive(Serialize)]
pub(super) struct PoliciesBody {
    /// Null only of a domain of one's own that has none.
    in_force: Option<InForceBody>,
    /// Null if no newer folder is refused.
    refused: Option<RefusedBody>,
    /// What was refused since the start of this process, whatever became of it; newest first, at most 50.
    refusals: Vec<RefusalBody>,
    /// Null without `policies.shadow`, and of a domain that it does not have.
    shadow: Option<ShadowBody>,
    /// The domains of one's own, by name.
    domains: Vec<DomainBody>,
    /// Each process with the digest of its policies, as in `GET /replicas`; null if the database does not answer within
    /// a second.
    replicas: Option<Vec<ReplicaBody>>,
}

#[derive(Serialize)]
struct InForceBody {
    /// Of the schema and the policies; decisions name it.
    digest: String,
    /// Of the whole folder, invariants and examples included; approvals name it.
    folder_digest: Option<String>,
    since: Option<String>,
    #[serde(flatten)]
    content: Content,
    gates: Vec<GateBody>,
    /// Checks that an emergency stop does not pass.
    failed_checks: Vec<String>,
    warnings: Vec<String>,
    /// Policies that could not be evaluated in the last quarter of an hour.
    failing: Vec<FailingBody>,
}

#[derive(Serialize)]
struct GateBody {
    #[serde(rename = "gate")]
    name: &'static str,
    result: GateResult,
    took_ms: Option<u64>,
    report: Option<String>,
    findings: Option<Value>,
}

#[derive(Serialize)]
struct FailingBody {
    policy: String,
    error: String,
    count: u64,
    last: String,
}

#[derive(Serialize)]
struct RefusedBody {
    /// Of the whole folder; null if it could not be read.
    folder_digest: Option<String>,
    since: String,
    /// All refusals as plain text.
    reason: String,
    gates: Vec<GateBody>,
    /// The files that differ from those in force.
    changed: Vec<FileBody>,
}

#[derive(Serialize)]
struct RefusalBody {
    at: String,
    /// Of the whole folder; null if it could not be read.
    folder_digest: Option<String>,
    /// The gates that refused it.
    gates: Vec<&'static str>,
    /// The first line of the reason.
    reason: String,
}

#[derive(Serialize)]
struct ShadowBody {
    digest: Option<String>,
    folder_digest: Option<String>,
    since: Option<String>,
    /// Why a newer shadow folder is not used.
    fault: Option<String>,
    policies: Vec<PolicyBody>,
    /// The files that differ from those in force.
    changed: Vec<FileBody>,
}

impl PoliciesBody {
    fn of(state: &State, with_texts: bool) -> Self {
        let (snapshot, health) = (state.engine.snapshot(), state.engine.health());
        let shadow = state.workbench.shadow.as_ref();
        let shadow = shadow.and_then(|shadow| shadow.snapshot());
        let is_shadowed = shadow.is_some() || health.shadow.is_some();
        let shown_shadow = is_shadowed.then(|| {
            let (in_use, fault) = (health.shadow_in_use.as_ref(), health.shadow.clone());
            ShadowBody::of(shadow.as_deref(), in_use, fault, &health.files, with_texts)
        });
        let now = state.clock.now();
        Self::new(Some(&*snapshot), &health, shown_shadow, now, with_texts)
    }

    fn of_domain(
        domain: &DomainState,
        shadow: Option<ShadowDomain>,
        now: Timestamp,
        with_texts: bool,
    ) -> Self {
        let health = &domain.health;
        let shadow = shadow.map(|shadow| {
            let snapshot = shadow.domain.as_ref().map(|domain| &**domain.snapshot());
            let in_use = shadow.in_use.as_ref();
            ShadowBody::of(snapshot, in_use, shadow.fault, &health.files, with_texts)
        });
        let in_force = domain.in_force.as_ref();
        let snapshot = in_force.map(|domain| &**domain.snapshot());
        Self::new(snapshot, health, shadow, now, with_texts)
    }

    fn new(
        snapshot: Option<&Snapshot>,
        health: &PolicyHealth,
        shadow: Option<ShadowBody>,
        now: Timestamp,
        with_texts: bool,
    ) -> Self {
        let refused = health.refused.as_ref();
        Self {
            in_force: snapshot.map(|snapshot| InForceBody::of(snapshot, health, now, with_texts)),
            refused: refused.map(|refused| RefusedBody::of(refused, &health.files, with_texts)),
            refusals: RefusalBody::all(health),
            shadow,
            domains: Vec::new(),
            replicas: None,
        }
    }
}

impl InForceBody {
    fn of(snapshot: &Snapshot, health: &PolicyHealth, now: Timestamp, with_texts: bool) -> Self {
        Self {
            digest: snapshot.digest().to_string(),
            folder_digest: health.whole_digest.as_deref().map(str::to_owned),
            since: health.since.map(timestamp::format),
            content: Content {
                files: files(&health.files, with_texts),
                policies: policies(snapshot),
                invariants: invariants(snapshot),
            },
            gates: health.gates.iter().map(GateBody::of).collect(),
            failed_checks: health.failed_checks.clone(),
            warnings: health.warnings.clone(),
            failing: snapshot
                .failures(now)
                .into_iter()
                .map(FailingBody::of)
                .collect(),
        }
    }
}

impl RefusedBody {
    fn of(refused: &RefusedFolder, in_force: &Files, with_texts: bool) -> Self {
        let files = refused.files.as_deref();
        Self {
            folder_digest: refused.digest.as_deref().map(str::to_owned),
            since: timestamp::format(refused.since),
            reason: refused.reason.clone(),
            gates: refused.gates.iter().map(GateBody::of).collect(),
            changed: files.map_or_else(Vec::new, |files| changed(in_force, files, with_texts)),
        }
    }
}

impl RefusalBody {
    fn all(health: &PolicyHealth) -> Vec<Self> {
        let refusals = health.refusals.iter().rev();
        let shown = refusals.map(|past| Self {
            at: timestamp::format(past.at),
            folder_digest: past.digest.as_deref().map(str::to_owned),
            gates: past.gates.clone(),
            reason: past.reason.clone(),
        });
        shown.collect()
    }
}

impl ShadowBody {
    fn of(
        snapshot: Option<&Snapshot>,
        in_use: Option<&ShadowInUse>,
        fault: Option<String>,
        in_force: &Files,
        with_texts: bool,
    ) -> Self {
        Self {
            digest: snapshot.map(|snapshot| snapshot.digest().to_string()),
            folder_digest: in_use.map(|in_use| in_use.whole_digest.to_string()),
            since: in_use.map(|in_use| timestamp::format(in_use.since)),
            fault,
            policies: snapshot.map(policies).unwrap_or_default(),
            changed: in_use.map_or_else(Vec::new, |in_use| {
                changed(in_force, &in_use.files, with_texts)
            }),
        }
    }
}

impl GateBody {
    fn of(outcome: &GateOutcome) -> Self {
        let millis = |took: std::time::Duration| u64::try_from(took.as_millis()).ok();
        Self {
            name: outcome.gate,
            result: outcome.result,
            took_ms: outcome.took.and_then(millis),
            report: outcome.report.clone(),
            findings: outcome.findings.clone(),
        }
    }
}

impl FailingBody {
    fn of(failure: EvaluationFailure) -> Self {
        Self {
            policy: failure.policy,
            error: failure.message,
            count: failure.count,
            last: timestamp::format(failure.last),
        }
    }
}
