//! `GET /metrics` on the operations listener.

use charter_macros::boxed;
use salvo::http::header::{CONTENT_TYPE, HeaderValue};
use salvo::{Depot, Response, handler};

use crate::respond::ApiError;
use crate::state::SharedState;

/// The metrics in the Prometheus text format.
#[handler]
#[boxed]
pub async fn metrics(depot: &mut Depot, response: &mut Response) -> Result<(), ApiError> {
    let state = SharedState::of(depot)?;
    let body = (state.render_metrics)(state.engine.snapshot().digest());
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response.body(body);
    Ok(())
}
