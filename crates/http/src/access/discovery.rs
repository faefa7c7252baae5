//! `GET /.well-known/authzen-configuration` and `…/domains/{name}`: where the endpoints are (`AuthZEN` section 9).

use charter_macros::boxed;
use salvo::http::header::HOST;
use salvo::prelude::Json;
use salvo::{Depot, Request, handler};
use serde::Serialize;

use super::asked::admit;
use super::domain::name_of;
use crate::respond::{ApiError, Code};
use crate::state::{SharedState, State};

#[derive(Serialize)]
pub(super) struct Metadata {
    policy_decision_point: String,
    access_evaluation_endpoint: String,
    access_evaluations_endpoint: String,
    search_subject_endpoint: String,
    search_resource_endpoint: String,
    search_action_endpoint: String,
}

impl Metadata {
    fn at(base: String) -> Self {
        let endpoint = |path: &str| format!("{base}/access/v1/{path}");
        Self {
            access_evaluation_endpoint: endpoint("evaluation"),
            access_evaluations_endpoint: endpoint("evaluations"),
            search_subject_endpoint: endpoint("search/subject"),
            search_resource_endpoint: endpoint("search/resource"),
            search_action_endpoint: endpoint("search/action"),
            policy_decision_point: base,
        }
    }
}

#[handler]
#[boxed]
pub(super) async fn metadata(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<Metadata>, ApiError> {
    let state = SharedState::of(depot)?;
    admit(request, depot, &state)?;
    let base = base_url(request, &state)?;
    let name = name_of(request);
    if name.is_empty() {
        return Ok(Json(Metadata::at(base)));
    }
    state.domains.get(&name).ok_or_else(ApiError::not_found)?;
    Ok(Json(Metadata::at(format!("{base}/domains/{name}"))))
}

/// What the settings say, else the host that was asked: the edge has refused requests without exactly one.
fn base_url(request: &Request, state: &State) -> Result<String, ApiError> {
    if let Some(base) = &state.access_base_url {
        return Ok(base.clone());
    }
    let authority = request.uri().authority().map(ToString::to_string);
    let host = request.headers().get(HOST);
    let host = host.and_then(|host| host.to_str().ok().map(str::to_owned));
    let host = authority
        .or(host)
        .ok_or_else(|| ApiError::invalid(Code::BadHost, "the request names no host"))?;
    Ok(format!("http://{host}"))
}
