//! Every route of the main listener on one screen.

use std::sync::Arc;

use salvo::Router;

use super::state::{ProvideState, State};
use super::{docs, machine, openapi, ops};

/// The operations of the API: what the OpenAPI document describes.
#[must_use]
pub fn operations() -> Router {
    Router::new().push(machine::router())
}

/// The main listener: the operations and the public pages.
///
/// The pages are the only routes that no policy decides; a test keeps the list.
#[must_use]
pub fn main(state: Arc<State>) -> Router {
    let document = openapi::document();
    Router::new()
        .hoop(ProvideState(state))
        .push(operations())
        .push(Router::with_path("openapi.json").get(docs::Document::new(&document)))
        .push(Router::with_path("docs").get(docs::index))
        .push(Router::with_path("docs/{file}").get(docs::asset))
        .push(Router::with_path("healthz").get(ops::healthz))
        .push(Router::with_path("readyz").get(ops::readyz_bare))
}

/// The operations listener (contract section 6).
#[must_use]
pub fn operations_listener(state: Arc<State>) -> Router {
    Router::new()
        .hoop(ProvideState(state))
        .push(Router::with_path("healthz").get(ops::healthz))
        .push(Router::with_path("readyz").get(ops::readyz))
        .push(Router::with_path("metrics").get(ops::metrics))
}
