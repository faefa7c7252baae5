//! The common format of all error responses (contract section 2).

use std::borrow::Cow;

use salvo::Response;
use salvo::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use salvo::http::{ResBody, StatusCode};
use serde::Serialize;

use super::challenge::Challenge;
use super::code::{Code, ErrorType};
use super::detail::Detail;

#[derive(Debug, Clone, PartialEq)]
pub struct ApiError(pub(super) Box<Inner>);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Inner {
    pub(super) error_type: ErrorType,
    pub(super) code: Code,
    /// The `@code` of a policy, in place of `code`.
    pub(super) policy_code: Option<String>,
    pub(super) message: Cow<'static, str>,
    pub(super) details: Vec<Detail>,
    pub(super) decision_id: Option<String>,
    pub(super) string_to_sign: Option<String>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// For the log only.
    pub(super) cause: Option<String>,
}

/// The error code of the response, for the request's log line.
#[derive(Debug, Clone)]
pub(crate) struct ResponseErrorCode(pub(crate) Cow<'static, str>);

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
    /// Any row of the contract's table; prefer the constructors of `refusals.rs`.
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

    /// The same error in other words.
    #[must_use]
    pub fn saying(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.message = message.into();
        self
    }

    /// A refusal by policy with what brought it about; another error stays as it is.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        if self.0.error_type == ErrorType::Forbidden {
            self.0.message = format!("{}: {reason}", self.0.message).into();
        }
        self
    }

    /// Names the authorization decision.
    #[must_use]
    pub fn with_decision(mut self, decision_id: impl Into<String>) -> Self {
        self.0.decision_id = Some(decision_id.into());
        self
    }

    /// Adds the expected string to sign (contract section 2, `INVALID_SIGNATURE`).
    #[must_use]
    pub fn with_string_to_sign(mut self, text: String) -> Self {
        self.0.string_to_sign = Some(text);
        self
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Names these schemes if it is a 401.
    #[must_use]
    pub fn challenging(self, challenge: Challenge) -> Self {
        if self.0.error_type == ErrorType::Unauthorized {
            self.with_header(WWW_AUTHENTICATE, challenge.value())
        } else {
            self
        }
    }

    /// Closes the connection after the response, because the rest is unread or cannot be trusted.
    #[must_use]
    pub fn closing(self) -> Self {
        self.with_header(CONNECTION, HeaderValue::from_static("close"))
    }

    /// The same error under another type, and so another status; its code says as before what went wrong.
    #[must_use]
    pub fn typed(mut self, error_type: ErrorType) -> Self {
        self.0.error_type = error_type;
        self
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.error_type.status()
    }

    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The code in the response: a policy may give its own.
    #[must_use]
    pub fn code_text(&self) -> Cow<'static, str> {
        match &self.0.policy_code {
            Some(own) => Cow::Owned(own.clone()),
            None => Cow::Borrowed(self.0.code.as_str()),
        }
    }

    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The invalid or refused values.
    #[must_use]
    pub fn details(&self) -> &[Detail] {
        &self.0.details
    }

    /// The body, as JSON.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "serializing strings cannot fail"
    )]
    #[must_use]
    pub fn to_json(&self, request_id: &str) -> Vec<u8> {
        let envelope = Envelope {
            error: Body {
                r#type: self.0.error_type.as_str(),
                code: &self.code_text(),
                message: &self.0.message,
                request_id,
                details: &self.0.details,
                decision_id: self.0.decision_id.as_deref(),
                string_to_sign: self.0.string_to_sign.as_deref(),
            },
        };
        serde_json::to_vec(&envelope).expect("JSON")
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

    /// Writes status, headers and body, and logs the cause.
    pub(crate) fn render(self, request_id: &str, response: &mut Response) {
        if let Some(cause) = &self.0.cause {
            tracing::error!(
                request_id,
                cause,
                code = &*self.code_text(),
                "request failed"
            );
        }
        self.count();
        let body = self.to_json(request_id);
        response.status_code(self.status());
        response
            .extensions
            .insert(ResponseErrorCode(self.code_text()));
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.0.error_type == ErrorType::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, Challenge::Bearer.value());
        }
        for (name, value) in self.0.headers {
            headers.insert(name, value);
        }
        response.replace_body(ResBody::Once(body.into()));
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
}
