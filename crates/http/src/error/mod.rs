//! The one shape of every error answer (contract section 2), and the only place that knows
//! status codes.
//!
//! It must not know what any floor below calls its failures beyond the `From` conversions.

mod code;
mod from_budgets;
mod from_policy;
mod from_portal_user;
mod from_store;
mod openapi;

use std::borrow::Cow;
use std::fmt::Display;

use salvo::http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use salvo::http::{ResBody, StatusCode};
use salvo::{Depot, Request, Response, Writer, async_trait};
use serde::Serialize;

pub use code::{Code, ErrorType};
pub use openapi::{describe, describe_deactivation};

use super::context::RequestContext;

/// The longest text of a client's that a message repeats, in characters.
const MAX_ECHO: usize = 80;

/// The longest message of a detail, in characters.
const MAX_DETAIL: usize = 300;

/// One broken value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Where: a JSON pointer (RFC 6901) into the body.
    pub field: String,
    /// Which rule it breaks.
    pub message: String,
}

impl Detail {
    /// A detail whose message is cut to a bounded length.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Display) -> Self {
        Self {
            field: field.into(),
            message: cut(&message.to_string(), MAX_DETAIL),
        }
    }
}

/// An error answer on its way to a client.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError(Box<Inner>);

#[derive(Debug, Clone, PartialEq)]
struct Inner {
    error_type: ErrorType,
    code: Code,
    /// The code that a policy's `@code` gives in place of `code`.
    policy_code: Option<String>,
    message: Cow<'static, str>,
    details: Vec<Detail>,
    decision_id: Option<String>,
    string_to_sign: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log, never for the client.
    cause: Option<String>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    code: &'a str,
    message: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[Detail]>::is_empty")]
    details: &'a [Detail],
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_to_sign: Option<&'a str>,
}

impl ApiError {
    /// Any row of the contract's table; the named constructors below are the usual way.
    #[must_use]
    pub fn new(error_type: ErrorType, code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            error_type,
            code,
            policy_code: None,
            message: message.into(),
            details: Vec::new(),
            decision_id: None,
            string_to_sign: None,
            headers: Vec::new(),
            cause: None,
        }))
    }

    /// 400.
    #[must_use]
    pub fn invalid(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::InvalidRequest, code, message)
    }

    /// 401, with the schemes that would be taken.
    #[must_use]
    pub fn unauthorized(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::Unauthorized, code, message)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("HMAC, Bearer"))
    }

    /// 403.
    #[must_use]
    pub fn forbidden(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::Forbidden, code, message)
    }

    /// 403: the tenant is switched off.
    #[must_use]
    pub fn organization_deactivated() -> Self {
        Self::new(
            ErrorType::OrganizationDeactivated,
            Code::OrganizationDeactivated,
            "the organization is deactivated; only an operator can reactivate it",
        )
    }

    /// 404. One text for all, so that nobody learns what exists.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(
            ErrorType::NotFound,
            Code::NotFound,
            "there is no such resource",
        )
    }

    /// 405; the router adds `allow` where it is not given.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(
            ErrorType::MethodNotAllowed,
            Code::MethodNotAllowed,
            "the resource does not take this method; see the `allow` header",
        )
    }

    /// 409.
    #[must_use]
    pub fn conflict(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::Conflict, code, message)
    }

    /// 412: somebody else was faster.
    #[must_use]
    pub fn precondition_failed() -> Self {
        Self::new(
            ErrorType::PreconditionFailed,
            Code::PreconditionFailed,
            "the resource is not as `if-match` or `if-none-match` demands; get it again",
        )
    }

    /// 413. The rest of the body stays unread, so the connection ends.
    #[must_use]
    pub fn payload_too_large(limit: usize) -> Self {
        Self::new(
            ErrorType::PayloadTooLarge,
            Code::PayloadTooLarge,
            format!("the body may have at most {limit} bytes"),
        )
        .closing()
    }

    /// 415.
    #[must_use]
    pub fn unsupported_media_type(message: &'static str) -> Self {
        Self::new(
            ErrorType::UnsupportedMediaType,
            Code::UnsupportedMediaType,
            message,
        )
    }

    /// 422: all values that break a rule (machine surface).
    #[must_use]
    pub fn validation_failed(details: Vec<Detail>) -> Self {
        let mut error = Self::new(
            ErrorType::ValidationFailed,
            Code::ValidationFailed,
            "some values break a rule; see `details`",
        );
        error.0.details = details;
        error
    }

    /// 400: the same, on the portal, which has no 422.
    #[must_use]
    pub fn validation_failed_on_portal(details: Vec<Detail>) -> Self {
        let mut error = Self::validation_failed(details);
        error.0.error_type = ErrorType::InvalidRequest;
        error
    }

    /// 429. Seconds until `limit` requests are free again.
    #[must_use]
    pub fn rate_limited(
        message: impl Into<Cow<'static, str>>,
        limit: u64,
        remaining: u64,
        reset_seconds: u64,
    ) -> Self {
        Self::new(
            ErrorType::RateLimitExceeded,
            Code::RateLimitExceeded,
            message,
        )
        .with_header(RETRY_AFTER, HeaderValue::from(reset_seconds.max(1)))
        .with_header(
            HeaderName::from_static("x-ratelimit-limit"),
            HeaderValue::from(limit),
        )
        .with_header(
            HeaderName::from_static("x-ratelimit-remaining"),
            HeaderValue::from(remaining),
        )
        .with_header(
            HeaderName::from_static("x-ratelimit-reset"),
            HeaderValue::from(reset_seconds),
        )
    }

    /// 500. The cause goes to the log beside the request id, never to the client.
    #[must_use]
    pub fn internal(cause: impl Display) -> Self {
        let mut error = Self::new(
            ErrorType::InternalError,
            Code::InternalError,
            "something went wrong inside; quote the request id when you report it",
        );
        error.0.cause = Some(cause.to_string());
        error
    }

    /// 501. How long the body is cannot be known, so the connection ends.
    #[must_use]
    pub fn unsupported_transfer_coding() -> Self {
        Self::new(
            ErrorType::NotImplemented,
            Code::NotImplemented,
            "the only transfer coding that is served is `chunked`",
        )
        .closing()
    }

    /// 503: something that the request needs is down. The cause goes to the log.
    #[must_use]
    pub fn unavailable(cause: impl Display, retry_after_seconds: u64) -> Self {
        let mut error = Self::new(
            ErrorType::Unavailable,
            Code::Unavailable,
            "the service cannot decide this request now; try again later",
        )
        .with_header(RETRY_AFTER, HeaderValue::from(retry_after_seconds.max(1)));
        error.0.cause = Some(cause.to_string());
        error
    }

    /// Names the decision that a policy took.
    #[must_use]
    pub fn with_decision(mut self, decision_id: impl Into<String>) -> Self {
        self.0.decision_id = Some(decision_id.into());
        self
    }

    /// Shows what the signature must cover (contract section 2, `INVALID_SIGNATURE`).
    #[must_use]
    pub fn with_string_to_sign(mut self, text: String) -> Self {
        self.0.string_to_sign = Some(text);
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Names the methods that a resource takes.
    #[must_use]
    pub fn with_allow(self, methods: &'static str) -> Self {
        self.with_header(ALLOW, HeaderValue::from_static(methods))
    }

    /// Ends the connection after the answer: what follows on it cannot be trusted or is unread.
    #[must_use]
    pub fn closing(self) -> Self {
        self.with_header(CONNECTION, HeaderValue::from_static("close"))
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.error_type.status()
    }

    /// The code within the type.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The code as a client sees it: a policy may give its own.
    #[must_use]
    pub fn code_text(&self) -> &str {
        let own = self.0.policy_code.as_deref();
        own.unwrap_or_else(|| self.0.code.as_str())
    }

    /// The sentence for the client.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The broken or refused values, where there are some.
    #[must_use]
    pub fn details(&self) -> &[Detail] {
        &self.0.details
    }

    /// The answer that belongs to a bare status, for what the framework answers by itself.
    #[must_use]
    pub(super) fn from_status(status: StatusCode) -> Self {
        match status.as_u16() {
            404 => Self::not_found(),
            405 => Self::method_not_allowed(),
            413 => Self::new(
                ErrorType::PayloadTooLarge,
                Code::PayloadTooLarge,
                "the body is too large",
            ),
            415 => Self::unsupported_media_type("the body must be `application/json`"),
            503 => Self::unavailable("the framework answered 503", 1),
            status if status < 500 => {
                Self::invalid(Code::InvalidRequest, "the request could not be understood")
            }
            status => Self::internal(format_args!("the framework answered {status}")),
        }
    }

    /// The body, as JSON.
    pub(super) fn to_json(&self, request_id: &str) -> Vec<u8> {
        let envelope = Envelope {
            error: Body {
                r#type: self.0.error_type.as_str(),
                code: self.code_text(),
                message: &self.0.message,
                request_id,
                details: &self.0.details,
                decision_id: self.0.decision_id.as_deref(),
                string_to_sign: self.0.string_to_sign.as_deref(),
            },
        };
        // Serialising strings into memory cannot fail; an empty body would still be an answer.
        serde_json::to_vec(&envelope).unwrap_or_default()
    }

    fn count(&self) {
        match self.0.error_type {
            ErrorType::Unauthorized => {
                let code = self.0.code.as_str();
                metrics::counter!("charter_authn_rejections_total", "code" => code).increment(1);
            }
            ErrorType::RateLimitExceeded => {
                metrics::counter!("charter_http_rate_limited_total").increment(1);
            }
            _ => {}
        }
    }

    /// Writes status, headers and body, and logs what the client may not see.
    pub(super) fn render(self, request_id: &str, response: &mut Response) {
        if let Some(cause) = &self.0.cause {
            tracing::error!(request_id, cause, code = self.code_text(), "request failed");
        }
        self.count();
        let body = self.to_json(request_id);
        response.status_code(self.status());
        // For the request's line in the log.
        response.extensions.insert(self.code());
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.0.headers {
            headers.insert(name, value);
        }
        response.replace_body(ResBody::Once(body.into()));
    }
}

#[async_trait]
impl Writer for ApiError {
    async fn write(self, _request: &mut Request, depot: &mut Depot, response: &mut Response) {
        let request_id =
            RequestContext::of(depot).map_or("", |context| context.request_id.as_str());
        self.render(request_id, response);
    }
}

/// A client's text as a message may repeat it: in backticks, bounded, without control characters.
#[must_use]
pub fn echo(text: &str) -> String {
    let head: String = text.chars().take(MAX_ECHO + 1).collect();
    format!("`{}`", cut(&printable(&head), MAX_ECHO))
}

/// A text that may hold a client's, without control characters and of a detail's length.
pub(super) fn printable(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|character| {
            if charter_domain::text::is_forbidden(character) {
                '\u{FFFD}'
            } else {
                character
            }
        })
        .collect();
    cut(&text, MAX_DETAIL)
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_the_contracts() {
        let error = ApiError::validation_failed(vec![Detail::new("/name", "must not be empty")]);
        let json = String::from_utf8(error.to_json("r-1")).expect("text");
        assert_eq!(
            json,
            r#"{"error":{"type":"VALIDATION_FAILED","code":"VALIDATION_FAILED","message":"some values break a rule; see `details`","request_id":"r-1","details":[{"field":"/name","message":"must not be empty"}]}}"#
        );
        let error = ApiError::forbidden(Code::NotPermitted, "no").with_decision("dec-1");
        let json = String::from_utf8(error.to_json("r-2")).expect("text");
        assert_eq!(
            json,
            r#"{"error":{"type":"FORBIDDEN","code":"NOT_PERMITTED","message":"no","request_id":"r-2","decision_id":"dec-1"}}"#
        );
    }

    #[test]
    fn an_internal_error_shows_nothing_of_the_inside() {
        let error = ApiError::internal("password=hunter2");
        assert!(
            !String::from_utf8(error.to_json("r"))
                .expect("text")
                .contains("hunter2")
        );
    }

    #[test]
    fn what_a_client_said_is_repeated_within_bounds() {
        assert_eq!(echo("plan\u{202E}x\n"), "`plan\u{FFFD}x\u{FFFD}`");
        assert_eq!(echo(&"é".repeat(500)).chars().count(), MAX_ECHO + 3);
        assert_eq!(
            Detail::new("", "x".repeat(9_999)).message.chars().count(),
            MAX_DETAIL + 1
        );
    }
}
