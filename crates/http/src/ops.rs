//! What operators ask: is the process alive, can it serve, how is it doing (contract section 6).

mod replay_guard;

use std::time::Duration;

use salvo::http::StatusCode;
use salvo::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use salvo::oapi::{
    BasicType, Components, Content, EndpointOutRegister, Object, Operation,
    Response as OpenApiResponse, endpoint,
};
use salvo::prelude::Json;
use salvo::writing::Scribe;
use salvo::{Depot, Response, handler};
use serde::Serialize;

use charter_authz::engine::Engine;
use charter_decision_log as decision_log;
use charter_domain::timestamp::{self, Timestamp};

use super::error::ApiError;
use super::openapi::headers;
use super::state::State;

/// How long the database may take to answer before it counts as down.
const PING_DEADLINE: Duration = Duration::from_secs(2);

/// Whether the process lives.
#[endpoint(operation_id = "getHealth", tags("service"))]
pub async fn healthz() -> Result<Health, ApiError> {
    Ok(Health { status: "ok" })
}

/// Whether requests can be served, and nothing of the inside.
#[endpoint(operation_id = "getReadiness", tags("service"))]
pub async fn readyz_bare(depot: &mut Depot) -> Result<Ready, ApiError> {
    let state = State::of(depot)?;
    if state.stopping.is_cancelled() {
        return Ok(Ready(StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    }
    let readiness = Readiness::of(&state).await;
    Ok(Ready(readiness.status_code(), readiness.status))
}

/// One word about the service.
#[derive(Serialize)]
pub struct Health {
    status: &'static str,
}

impl Health {
    fn described(description: &str, words: &[&'static str]) -> OpenApiResponse {
        let status = Object::with_type(BasicType::String)
            .enum_values(words.iter().copied())
            .examples(words.first().copied());
        let schema = Object::new().property("status", status).required("status");
        headers::answer(description).add_content("application/json", Content::new(schema))
    }
}

impl Scribe for Health {
    fn render(self, response: &mut Response) {
        response.render(Json(self));
    }
}

impl EndpointOutRegister for Health {
    fn register(_: &mut Components, operation: &mut Operation) {
        let alive = Self::described("OK", &["ok"]);
        operation.responses.insert("200", alive);
    }
}

/// 200, or 503 while requests cannot be served.
pub struct Ready(StatusCode, &'static str);

impl Scribe for Ready {
    fn render(self, response: &mut Response) {
        let Self(code, status) = self;
        response.status_code(code);
        if code == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.render(Json(Health { status }));
    }
}

impl EndpointOutRegister for Ready {
    fn register(_: &mut Components, operation: &mut Operation) {
        let ready = Health::described("requests are served", &["ok", "degraded"]);
        operation.responses.insert("200", ready);
        let not_ready = Health::described("requests cannot be served now", &["unavailable"]);
        operation
            .responses
            .insert("503", headers::with_retry_after(not_ready));
    }
}

/// `GET /readyz` on the operations listener: each part by name.
#[handler]
pub async fn readyz(depot: &mut Depot, response: &mut Response) -> Result<(), ApiError> {
    let readiness = Readiness::of(&*State::of(depot)?).await;
    response.status_code(readiness.status_code());
    response.render(Json(readiness));
    Ok(())
}

/// Whether requests can be served, part by part.
#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    /// There only while the service stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Part>,
    database: Part,
    audit_heads: Part,
    replay_guard: Part,
    decision_log: Part,
    policies: Policies,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Part {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What is in force, what of it could not be evaluated, and a newer folder that was not taken.
#[derive(Serialize)]
struct Policies {
    status: &'static str,
    digest: String,
    /// Of the whole folder, invariants and examples included.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// Checks that what is in force did not pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_checks: Vec<String>,
    /// Why the folder that is asked beside it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failing: Vec<FailingPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<RefusedFolder>,
    warnings: Vec<String>,
    not_run: Vec<String>,
}

/// A policy that could not be evaluated in the last quarter of an hour.
#[derive(Serialize)]
struct FailingPolicy {
    policy: String,
    error: String,
    count: u64,
    last: String,
}

#[derive(Serialize)]
struct RefusedFolder {
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    reason: String,
    since: String,
}

impl Policies {
    fn of(engine: &Engine, now: Timestamp) -> Self {
        let health = engine.health();
        let snapshot = engine.snapshot();
        let failing = snapshot.failures(now).into_iter();
        let failing: Vec<FailingPolicy> = failing
            .map(|failure| FailingPolicy {
                policy: failure.policy,
                error: failure.message,
                count: failure.count,
                last: timestamp::format(failure.last),
            })
            .collect();
        Self {
            status: if health.is_degraded() || !failing.is_empty() {
                "degraded"
            } else {
                "ok"
            },
            digest: snapshot.digest().to_string(),
            folder_digest: health.whole_digest.as_deref().map(str::to_owned),
            since: health.since.map(timestamp::format),
            failed_checks: health.failed_checks.clone(),
            shadow: health.shadow.clone(),
            failing,
            refused: health.refused.as_ref().map(|refused| RefusedFolder {
                digest: refused.digest.as_deref().map(str::to_owned),
                reason: refused.reason.clone(),
                since: timestamp::format(refused.since),
            }),
            warnings: health.warnings.clone(),
            not_run: health.not_run.clone(),
        }
    }
}

impl Part {
    fn from(fault: Option<String>, status: &'static str) -> Self {
        match fault {
            None => Self {
                status: "ok",
                reason: None,
            },
            reason => Self { status, reason },
        }
    }
}

impl Readiness {
    async fn of(state: &State) -> Self {
        let ping = tokio::time::timeout(PING_DEADLINE, state.store.ping()).await;
        let database = match ping {
            // Reads are served; the next write shows whether it is over.
            Ok(Ok(())) => Part::from(state.store.fault(), "degraded"),
            Ok(Err(error)) => Part::from(Some(error.to_string()), "unavailable"),
            Err(_elapsed) => {
                let late = format!("no answer within {} s", PING_DEADLINE.as_secs());
                Part::from(Some(late), "unavailable")
            }
        };
        let replay_guard = replay_guard::part(&state.replay.status());
        let policies = Policies::of(&state.engine, state.clock.now());
        let decision_log = decision_log(state.decisions.status());
        let audit_heads = Part::from(state.store.audit_heads_fault(), "degraded");
        let stop = state.stopping.is_cancelled().then(|| Part {
            status: "unavailable",
            reason: Some("the service is stopping".to_owned()),
        });
        let parts = [
            stop.as_ref().map_or("ok", |stop| stop.status),
            database.status,
            audit_heads.status,
            replay_guard.status,
            decision_log.status,
            policies.status,
        ];
        let status = ["unavailable", "degraded"]
            .into_iter()
            .find(|status| parts.contains(status))
            .unwrap_or("ok");
        Self {
            status,
            stop,
            database,
            audit_heads,
            replay_guard,
            decision_log,
            policies,
        }
    }

    fn status_code(&self) -> StatusCode {
        if self.status == "unavailable" {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        }
    }
}

fn decision_log(status: Option<decision_log::Status>) -> Part {
    let Some(status) = status else {
        return Part {
            status: "off",
            reason: None,
        };
    };
    if status.refuses {
        let reason = status.writer.last_error;
        let reason =
            reason.unwrap_or_else(|| "decisions come faster than they can be written".to_owned());
        return Part::from(Some(reason), "unavailable");
    }
    let missed = status.missed.then(|| {
        "a file of it was moved or removed under the running service, another was begun".to_owned()
    });
    let unsynced = status
        .writer
        .sync_error
        .map(|error| format!("it could not be synced: {error}"));
    let fault = status.writer.last_error.or(unsynced).or(missed);
    Part::from(fault, "degraded")
}

/// `GET /metrics`: Prometheus' text format.
#[handler]
pub async fn metrics(depot: &mut Depot, response: &mut Response) -> Result<(), ApiError> {
    let body = (State::of(depot)?.render_metrics)();
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response.body(body);
    Ok(())
}
