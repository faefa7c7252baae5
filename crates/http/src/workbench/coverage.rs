//! `GET /policies/coverage`: which policies and conditions the examples cover, and which policies determined decisions
//! in the last days.

use std::time::Duration;

use charter_macros::boxed;
use salvo::prelude::Json;
use salvo::{Depot, Request, handler};
use serde_json::Value;

use super::admission::OperatorRequest;
use super::asked_domain::{self, AskedDomain};
use crate::extract::query::Query;
use crate::respond::ApiError;
use crate::state::{JobEvent, PolicyJob};

const DEFAULT_DAYS: u64 = 7;
const MAX_DAYS: u64 = 366;

/// Measures the folder in force.
#[handler]
#[boxed]
pub(super) async fn show(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<Value>, ApiError> {
    let asked = OperatorRequest::of(request, depot)?;
    let mut query = Query::parse(request.uri().query())?;
    let days = query.parsed("days", |text| {
        let days = text.parse::<u64>().ok();
        let days = days.filter(|days| (1..=MAX_DAYS).contains(days));
        days.ok_or_else(|| format!("must be an integer from 1 to {MAX_DAYS}"))
    })?;
    let domain = asked_domain::parameter(&mut query)?;
    query.finish()?;
    let state = &asked.state;
    let AskedDomain { name, files } = AskedDomain::find(domain, state)?;
    let before = Duration::from_hours(24 * days.unwrap_or(DEFAULT_DAYS));
    let mut events = state.workbench.tools.start(PolicyJob::Coverage {
        domain: name,
        in_force: (*files).clone(),
        since: state.clock.now() - before,
    })?;
    while let Some(event) = events.recv().await {
        match event {
            JobEvent::Accepted | JobEvent::Progress { .. } => {}
            JobEvent::Done(result) => return Ok(Json(result)),
            JobEvent::Refused(faults) => return Err(ApiError::internal(faults)),
            JobEvent::Failed(reason) => return Err(ApiError::unavailable(reason, 5)),
        }
    }
    Err(ApiError::internal(
        "the work on policies ended without a result",
    ))
}
