//! All routes of the listeners.

use std::sync::Arc;

use charter_macros::boxed;
use salvo::http::StatusCode;
use salvo::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use salvo::{Depot, FlowCtrl, Request, Response, Router, Writer as _, handler};

use crate::access::{self, Listener};
use crate::extract::query::NoParameters;
use crate::methods::Reads as _;
use crate::ops::{health, metrics};
use crate::respond::etag;
use crate::state::{ProvideState, State};
use crate::{console, docs, machine, portal, workbench};

/// The operations of the API, each authorized by policy.
#[must_use]
pub fn operations() -> Router {
    Router::new().push(machine::router()).push(portal::router())
}

/// Routes without authorization; a test lists them.
fn public() -> Router {
    let pages = Router::with_hoop(NoParameters)
        .push(Router::with_path(".well-known/jwks.json").reads(portal::jwks::get))
        .push(Router::with_path("openapi.json").reads(docs::openapi_json))
        .push(Router::with_path("docs").reads(docs::index));
    let leaked_keys = Router::with_path("leaked-keys").post(machine::leaked_keys::report);
    Router::new()
        .push(leaked_keys)
        .push(portal::sign_in_router())
        .push(portal::own_router())
        .push(pages)
}

/// For load balancers: their status says whether requests are served, whatever conditions were sent.
fn health() -> Router {
    Router::with_hoop(NoParameters)
        .push(Router::with_path("healthz").reads(health::healthz))
        .push(Router::with_path("readyz").reads(health::readyz_bare))
}

/// The routes of the OpenAPI document.
#[must_use]
pub fn described() -> Router {
    let conditional = Router::with_hoop(check_untagged_reads)
        .push(operations())
        .push(public());
    Router::new().push(conditional).push(health())
}

/// Checks the conditions of a read whose answer has no entity tag (contract section 2). What fails without them
/// fails as without them (RFC 9110 section 13.2.1).
#[handler]
#[boxed]
async fn check_untagged_reads(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
    flow: &mut FlowCtrl,
) {
    flow.call_next(request, depot, response).await;
    let is_read = request.method().is_safe()
        && response
            .status_code
            .is_none_or(|status| status.is_success())
        && !response.headers().contains_key(ETAG);
    if !is_read {
        return;
    }
    match etag::is_untagged_known_to(request.headers()) {
        Ok(false) => {}
        Ok(true) => {
            drop(response.take_body());
            response.headers_mut().remove(CONTENT_TYPE);
            response.headers_mut().remove(CONTENT_LENGTH);
            response.status_code(StatusCode::NOT_MODIFIED);
        }
        Err(refused) => {
            *response = Response::new();
            refused.write(request, depot, response).await;
        }
    }
}

/// The main listener: operations, public pages and the files of the docs page.
#[must_use]
pub fn main(state: Arc<State>) -> Router {
    Router::new()
        .hoop(ProvideState(state.into()))
        .push(described())
        .push(Router::with_hoop(check_untagged_reads).push(docs::assets()))
        .push(console::portal())
}

/// The operations listener (contract section 6).
#[must_use]
pub fn operations_listener(state: Arc<State>) -> Router {
    let pages = Router::with_hoop(NoParameters)
        .push(Router::with_path("healthz").reads(health::healthz))
        .push(Router::with_path("readyz").reads(health::readyz))
        .push(Router::with_path("metrics").reads(metrics::metrics));
    Router::new()
        .hoop(ProvideState(state.into()))
        .push(pages)
        .push(Router::with_hoop(check_untagged_reads).push(workbench::router()))
        .push(access::router(Listener::Operations))
        .push(console::workbench())
}

/// The listener of `access.listen` (contract section 7).
#[must_use]
pub fn access_listener(state: Arc<State>) -> Router {
    let pages =
        Router::with_hoop(NoParameters).push(Router::with_path("healthz").reads(health::healthz));
    Router::new()
        .hoop(ProvideState(state.into()))
        .push(pages)
        .push(access::router(Listener::Access))
}
