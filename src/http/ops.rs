//! What operators ask: is the process alive, can it serve, how is it doing (contract section 6).

use std::time::Duration;

use salvo::http::StatusCode;
use salvo::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use salvo::prelude::Json;
use salvo::{Depot, Response, handler};
use serde::Serialize;

use crate::authn::replay;

use super::error::ApiError;
use super::state::State;

/// How long the database may take to answer before it counts as down.
const PING_DEADLINE: Duration = Duration::from_secs(2);

/// `GET /healthz`: the process lives.
#[handler]
pub async fn healthz(response: &mut Response) {
    response.render(Json(Health { status: "ok" }));
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// `GET /readyz` on the operations listener: each part by name.
#[handler]
pub async fn readyz(depot: &mut Depot, response: &mut Response) -> Result<(), ApiError> {
    let readiness = Readiness::of(&*State::of(depot)?).await;
    response.status_code(readiness.status_code());
    response.render(Json(readiness));
    Ok(())
}

/// `GET /readyz` on the main listener: the status alone, nothing of the inside.
#[handler]
pub async fn readyz_bare(depot: &mut Depot, response: &mut Response) -> Result<(), ApiError> {
    let readiness = Readiness::of(&*State::of(depot)?).await;
    response.status_code(readiness.status_code());
    if readiness.status == "unavailable" {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response.render(Json(Health {
        status: readiness.status,
    }));
    Ok(())
}

/// Whether requests can be served, part by part.
#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    database: Part,
    replay_guard: Part,
    policies: Policies,
}

#[derive(Serialize)]
struct Part {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Policies {
    status: &'static str,
    digest: String,
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
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_elapsed) => Some(format!("no answer within {} s", PING_DEADLINE.as_secs())),
        };
        let database = Part::from(database, "unavailable");
        let replay_guard = replay_guard(&state.replay.status());
        let parts = [database.status, replay_guard.status];
        let status = ["unavailable", "degraded"]
            .into_iter()
            .find(|status| parts.contains(status))
            .unwrap_or("ok");
        Self {
            status,
            database,
            replay_guard,
            policies: Policies {
                status: "ok",
                digest: state.engine.snapshot().digest().to_string(),
            },
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

fn replay_guard(status: &replay::Status) -> Part {
    if let Some(fault) = &status.last_error {
        return Part::from(Some(fault.clone()), "unavailable");
    }
    let closed = status.closed_until.map(|until| {
        format!("may have forgotten nonces: requests dated before {until} are refused")
    });
    Part::from(closed, "unavailable")
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
