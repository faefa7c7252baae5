//! `GET` and `POST …/access/v1/forward-auth`: a gateway asks whether to let a request through (contract section 7).
//!
//! For nginx `auth_request`, Envoy HTTP `ext_authz` and Traefik `ForwardAuth`. The gateway's own token comes in
//! `x-charter-authorization`; all other headers are those of the request in question. Whatever is wrong with that
//! request is a 401 or a 403: gateways make a 500 of anything else.

use std::sync::Arc;

use charter_macros::boxed;
use salvo::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use salvo::http::{HeaderMap, Method, ResBody, StatusCode};
use salvo::hyper::body::Bytes;
use salvo::{Depot, Request, Response, handler};
use serde_json::{Map, Value, json};

use charter_authn::credentials::{Credentials, Header, Scheme};
use charter_authn::rejection::Rejection;
use charter_domain::caller::Caller;

use super::answer::DomainAnswer;
use super::asked::admit_as;
use super::custom::{Custom, subject};
use super::domain::name_of;
use super::question::{Action, Entity, Question};
use crate::edge::context::RequestContext;
use crate::edge::target;
use crate::extract::query::NoParameters;
use crate::respond::{ApiError, Challenge, Code, ErrorType, echo};
use crate::state::{SharedState, State};

const GATEWAY_TOKEN: &str = "x-charter-authorization";
const METHOD: &str = "x-forwarded-method";
const TARGET: &str = "x-forwarded-uri";
/// Bytes. Each id that is new stands in the decision log, so paths must not fill it.
const MAX_RESOURCE_ID: usize = 256;
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-content-sha256");
const SUBJECT: HeaderName = HeaderName::from_static("x-charter-subject");
const ORGANIZATION: HeaderName = HeaderName::from_static("x-charter-organization");
const DECISION: HeaderName = HeaderName::from_static("x-charter-decision");

#[handler]
#[boxed]
pub(super) async fn forward_auth(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
) -> Result<(), ApiError> {
    let state = SharedState::of(depot)?;
    let shown = header(request.headers(), GATEWAY_TOKEN);
    let client = admit_as(GATEWAY_TOKEN, shown, request, depot, &state).map_err(for_gateways)?;
    // What is wrong with the gateway's own configuration: no client can cause it.
    NoParameters::check(request)?;
    let context = RequestContext::behind_edge(depot)?;
    let domain = match name_of(request).as_str() {
        "" => None,
        name => Some(Custom::find(&state, name, client, context)?),
    };
    request.extensions_mut().insert(Challenge::SignedOrBearer);
    let judged = judge(request.headers(), &state, domain.as_ref(), context).await;
    let (caller, answer) = judged.map_err(for_gateways)?;
    response.status_code(StatusCode::OK);
    // Nothing, and meant to be: without a body the framework would warn of each answer.
    response.body(ResBody::Once(Bytes::new()));
    let answered = response.headers_mut();
    answered.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    let mut headers = vec![
        (SUBJECT, caller.principal_id()),
        (ORGANIZATION, caller.organization().id.to_string()),
    ];
    headers.extend(answer.decision_id.map(|id| (DECISION, id.to_string())));
    for (name, value) in headers {
        let value = HeaderValue::from_str(&value);
        answered.insert(name, value.map_err(ApiError::internal)?);
    }
    let hash = request.headers().get(&CONTENT_SHA256);
    if let Some(hash) = hash.filter(|hash| is_hash(hash.as_bytes())) {
        // Who has the body compares.
        answered.insert(CONTENT_SHA256, hash.clone());
    }
    Ok(())
}

/// Who sent the request in question, and that policy allows it.
///
/// # Errors
///
/// As for a request to this service.
async fn judge(
    headers: &HeaderMap,
    state: &State,
    domain: Option<&Custom<'_>>,
    context: &RequestContext,
) -> Result<(Caller, DomainAnswer), ApiError> {
    let method = forwarded_method(headers)?;
    let sent = forwarded_target(headers)?;
    let credentials = Credentials::collect(method, sent, context.client_ip, |name| {
        header(headers, name)
    });
    let only_reads = [Method::GET.as_str(), Method::HEAD.as_str()].contains(&method);
    let caller = authenticate(state, &credentials, !only_reads).await?;
    context.facts.note_caller(&caller);
    let path = sent.split('?').next().unwrap_or_default();
    let routed = domain.and_then(|domain| Some((domain, domain.domain.route(method, path)?)));
    let Some((domain, routed)) = routed else {
        let (method, path) = (echo(method), echo(path));
        return Err(denied(format!("no route of the domain is {method} {path}")));
    };
    if routed.id.len() > MAX_RESOURCE_ID {
        let message = format!("a resource's id may have at most {MAX_RESOURCE_ID} bytes");
        return Err(denied(message));
    }
    let question = Question {
        subject: subject(&caller),
        action: Action {
            name: routed.action,
            properties: Arc::default(),
        },
        resource: Entity {
            of: routed.of,
            id: routed.id,
            properties: Arc::default(),
        },
        context: Arc::new(facts_of(method, path, context)),
    };
    let answer = domain.evaluate_caller(&question, &caller).await?;
    // For domains whose policies do not say so; those of one that do are asked first, and on record.
    let is_deactivated = !caller.organization().is_active && !only_reads;
    if answer.decision && !is_deactivated {
        return Ok((caller, answer));
    }
    let error = match answer.forbidden {
        _ if answer.decision => ApiError::organization_deactivated(),
        Some(refusal) => ApiError::forbidden_by_policy(Some(refusal), answer.reason),
        None => denied(answer.reason),
    };
    Err(match answer.decision_id {
        Some(id) => error.with_decision(id.to_string()),
        None => error,
    })
}

/// By signature, the nonce included, or by token (contract sections 3 and 5).
async fn authenticate(
    state: &State,
    credentials: &Credentials<'_>,
    is_write: bool,
) -> Result<Caller, ApiError> {
    match credentials.scheme()? {
        Scheme::Hmac => {
            let verified = state.service_accounts.verify(credentials).await;
            let verified = verified.map_err(|refused| refused.rejection)?;
            let accounts = &state.service_accounts;
            Ok(accounts.admit_for_gateway(verified, is_write).await?)
        }
        // It is no part of this credential. Of two, a gateway could compare one and hand on the other.
        Scheme::Bearer if matches!(credentials.content_sha256, Header::Repeated) => {
            let doubled = format!("send `{CONTENT_SHA256}` once");
            Err(Rejection::MalformedAuthorization(doubled).into())
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

/// 401 where it is not clear who asks, else 403; the code stays. What the service cannot decide stays a 5xx.
fn for_gateways(error: ApiError) -> ApiError {
    match error.status() {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => error,
        status if !status.is_client_error() => error,
        _ if error.code() == Code::AmbiguousCredentials => error.typed(ErrorType::Unauthorized),
        _ => error.typed(ErrorType::Forbidden),
    }
}

/// 64 digits of lowercase hex.
fn is_hash(value: &[u8]) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    value.len() == 64 && value.iter().all(is_digit)
}

fn denied(reason: String) -> ApiError {
    ApiError::forbidden(Code::NotPermitted, reason)
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Header<'h> {
    Header::of(headers.get_all(name).iter().map(AsRef::as_ref))
}

fn forwarded_method(headers: &HeaderMap) -> Result<&str, ApiError> {
    let method = forwarded(headers, METHOD)?;
    std::str::from_utf8(method)
        .ok()
        .filter(|text| text.parse::<Method>().is_ok())
        .ok_or_else(|| bad_header(METHOD, "must be a method"))
}

/// The target as it was sent: nothing but its one canonical spelling.
fn forwarded_target(headers: &HeaderMap) -> Result<&str, ApiError> {
    target::forwarded(forwarded(headers, TARGET)?)
}

/// A header that the gateway sets, exactly once.
fn forwarded<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h [u8], ApiError> {
    match header(headers, name) {
        Header::Once(value) => Ok(value),
        Header::Missing => Err(bad_header(name, "is missing: the gateway must set it")),
        Header::Repeated => Err(bad_header(
            name,
            "is there twice: the gateway must set it once",
        )),
    }
}

fn bad_header(name: &str, why: &str) -> ApiError {
    ApiError::invalid(Code::BadParameter, format!("`{name}` {why}"))
}
