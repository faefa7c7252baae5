//! All routes of the listeners.

use std::sync::Arc;

use salvo::{Request, Router, handler};

use crate::access::{self, Listener};
use crate::extract::query::NoParameters;
use crate::methods::Reads as _;
use crate::ops::{health, metrics};
use crate::respond::{ApiError, etag};
use crate::state::{ProvideState, State};
use crate::{console, docs, machine, portal, workbench};

/// The operations of the API, each authorized by policy.
#[must_use]
pub fn operations() -> Router {
    Router::new().push(machine::router()).push(portal::router())
}

/// Routes without authorization; a test lists them.
fn public() -> Router {
    let untagged = Router::with_hoop(check_untagged_page)
        .push(Router::with_path(".well-known/jwks.json").reads(portal::jwks::get))
        .push(Router::with_path("openapi.json").reads(docs::openapi_json))
        .push(Router::with_path("docs").reads(docs::index))
        .push(Router::with_path("healthz").reads(health::healthz));
    let pages = Router::with_hoop(NoParameters)
        .push(untagged)
        .push(Router::with_path("readyz").reads(health::readyz_bare));
    let leaked_keys = Router::with_path("leaked-keys").post(machine::leaked_keys::report);
    Router::new()
        .push(leaked_keys)
        .push(portal::sign_in_router())
        .push(portal::own_router())
        .push(pages)
}

/// The routes of the OpenAPI document.
#[must_use]
pub fn described() -> Router {
    Router::new().push(operations()).push(public())
}

/// Checks conditions on pages without an entity tag (contract section 2).
#[handler]
async fn check_untagged_page(request: &mut Request) -> Result<(), ApiError> {
    etag::check_untagged(request.method(), request.headers())
}

/// The main listener: operations, public pages and the files of the docs page.
#[must_use]
pub fn main(state: Arc<State>) -> Router {
    Router::new()
        .hoop(ProvideState(state))
        .push(described())
        .push(Router::with_path("docs/{file}").reads(docs::asset))
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
        .hoop(ProvideState(state))
        .push(pages)
        .push(workbench::router())
        .push(access::router(Listener::Operations))
        .push(console::workbench())
}

/// The listener of `access.listen` (contract section 7).
#[must_use]
pub fn access_listener(state: Arc<State>) -> Router {
    let pages =
        Router::with_hoop(NoParameters).push(Router::with_path("healthz").reads(health::healthz));
    Router::new()
        .hoop(ProvideState(state))
        .push(pages)
        .push(access::router(Listener::Access))
}
