//! `GET` and `POST …/access/v1/forward-auth`: a gateway asks whether to let a request through (contract section 7).
//!
//! For nginx `auth_request`, Envoy HTTP `ext_authz` and Traefik `ForwardAuth`. The gateway's own token comes in
//! `x-charter-authorization`; all other headers are those of the request in question. Envoy asks with that request's
//! method, and with its path behind ours: neither is read.

use salvo::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use salvo::http::{HeaderMap, Method, StatusCode};
use salvo::{Depot, Request, Response, handler};
use serde_json::{Map, Value, json};

use charter_authn::credentials::{Credentials, Header, Scheme};
use charter_domain::caller::Caller;

use super::asked::admit_as;
use super::own::{Own, subject};
use super::question::{Action, Entity, Question};
use crate::edge::context::RequestContext;
use crate::edge::target;
use crate::respond::{ApiError, Code, echo};
use crate::state::State;

const GATEWAY_TOKEN: &str = "x-charter-authorization";
const METHOD: &str = "x-forwarded-method";
const TARGET: &str = "x-forwarded-uri";
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-content-sha256");
const SUBJECT: HeaderName = HeaderName::from_static("x-charter-subject");
const ORGANIZATION: HeaderName = HeaderName::from_static("x-charter-organization");
const DECISION: HeaderName = HeaderName::from_static("x-charter-decision");

#[handler]
pub(super) async fn forward_auth(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
) -> Result<(), ApiError> {
    let state = State::of(depot)?;
    let headers = request.headers();
    let client = admit_as(header(headers, GATEWAY_TOKEN), request, depot, &state)?;
    let context = RequestContext::behind_edge(depot)?;
    let name = request.param::<String>("domain").unwrap_or_default();
    let domain = Own::find(&state, &name, client, context)?;
    let method = forwarded(headers, METHOD)?;
    let sent = forwarded(headers, TARGET)?;
    target::check_forwarded(sent).map_err(|error| denied(error.message().to_owned()))?;
    let credentials = Credentials::collect(method, sent, context.client_ip, |name| {
        header(headers, name)
    });
    let caller = authenticate(&state, &credentials).await?;
    context.facts.note_caller(&caller);
    let path = sent.split('?').next().unwrap_or_default();
    let routed = domain.domain.route(method, path).ok_or_else(|| {
        denied(format!(
            "no route of the domain is {} {}",
            echo(method),
            echo(path)
        ))
    })?;
    let only_reads = [Method::GET.as_str(), Method::HEAD.as_str()].contains(&method);
    if !caller.organization().is_active && !only_reads {
        return Err(ApiError::organization_deactivated());
    }
    let question = Question {
        subject: subject(&caller),
        action: Action {
            name: routed.action,
            properties: Map::new(),
        },
        resource: Entity {
            of: routed.of,
            id: routed.id,
            properties: Map::new(),
        },
        context: facts_of(method, path, context),
    };
    let answer = domain.evaluate_caller(&question, &caller).await?;
    if !answer.decision {
        let error = match answer.forbidden {
            Some(refusal) => ApiError::forbidden_by_policy(Some(refusal), answer.reason),
            None => denied(answer.reason),
        };
        let decided = answer.decision_id.into_iter();
        return Err(decided.fold(error, ApiError::with_decision));
    }
    response.status_code(StatusCode::OK);
    let answered = response.headers_mut();
    answered.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    let mut told = vec![
        (SUBJECT, caller.principal_id()),
        (ORGANIZATION, caller.organization().id.to_string()),
    ];
    told.extend(answer.decision_id.map(|id| (DECISION, id)));
    for (name, value) in told {
        let value = HeaderValue::from_str(&value);
        answered.insert(name, value.map_err(ApiError::internal)?);
    }
    if let Some(hash) = request.headers().get(&CONTENT_SHA256) {
        // Who has the body compares.
        answered.insert(CONTENT_SHA256, hash.clone());
    }
    Ok(())
}

/// Who sent the request in question: by signature, the nonce included, or by token (contract sections 3 and 5).
async fn authenticate(state: &State, credentials: &Credentials<'_>) -> Result<Caller, ApiError> {
    match credentials.scheme()? {
        Scheme::Hmac => {
            let verified = state.service_accounts.verify(credentials).await;
            let verified = verified.map_err(|refused| refused.rejection)?;
            let admitted = state.service_accounts.admit_without_body(verified).await?;
            let caller = admitted.caller;
            Ok(caller)
        }
        Scheme::Bearer => Ok(state.portal_users.authenticate(credentials).await?),
    }
}

/// What policies may read of the request, if the schema declares it.
fn facts_of(method: &str, path: &str, context: &RequestContext) -> Map<String, Value> {
    let facts = json!({
        "method": method,
        "path": path,
        "source_ip": context.client_ip.to_canonical().to_string(),
    });
    match facts {
        Value::Object(facts) => facts,
        _ => Map::new(),
    }
}

fn denied(reason: String) -> ApiError {
    ApiError::forbidden(Code::NotPermitted, reason)
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Header<'h> {
    Header::of(headers.get_all(name).iter().map(AsRef::as_ref))
}

/// A header that the gateway sets, exactly once.
fn forwarded<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, ApiError> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next().filter(|_| values.next().is_none());
    value
        .and_then(|value| value.to_str().ok())
        .filter(|value| !value.is_empty())
        .ok_or_else(|| {
            ApiError::invalid(
                Code::InvalidRequest,
                format!("the gateway must set `{name}`, once"),
            )
        })
}
