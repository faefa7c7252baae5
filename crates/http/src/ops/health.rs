//! Liveness and readiness (contract section 6).

use charter_macros::boxed;
use salvo::http::StatusCode;
use salvo::http::header::{HeaderValue, RETRY_AFTER};
use salvo::oapi::{
    BasicType, Components, Content, EndpointOutRegister, Object, Operation,
    Response as OpenApiResponse, endpoint,
};
use salvo::prelude::Json;
use salvo::writing::Scribe;
use salvo::{Depot, Response, handler};
use serde::Serialize;

use super::readiness::Readiness;
use crate::respond::{ApiError, headers};
use crate::state::SharedState;

/// Liveness: the process runs.
#[endpoint(operation_id = "getHealth", tags("service"))]
#[boxed]
pub async fn healthz() -> Result<Health, ApiError> {
    Ok(Health { status: "ok" })
}

/// Readiness: whether requests can be served, without details.
#[endpoint(operation_id = "getReadiness", tags("service"))]
#[boxed]
pub async fn readyz_bare(depot: &mut Depot) -> Result<Ready, ApiError> {
    let state = SharedState::of(depot)?;
    if state.stopping.is_cancelled() {
        return Ok(Ready(StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    }
    let readiness = Readiness::of(&state).await;
    Ok(Ready(readiness.status_code(), readiness.status))
}

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
#[boxed]
pub async fn readyz(depot: &mut Depot, response: &mut Response) -> Result<(), ApiError> {
    let readiness = Readiness::of(&*SharedState::of(depot)?).await;
    response.status_code(readiness.status_code());
    response.render(Json(readiness));
    Ok(())
}
