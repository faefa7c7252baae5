//! Constructors for each row of the contract's error table.

use std::borrow::Cow;
use std::fmt::Display;

use salvo::http::StatusCode;
use salvo::http::header::{HeaderName, HeaderValue};

use super::code::{Code, ErrorType};
use super::detail::Detail;
use super::error::ApiError;

impl ApiError {
    /// 400.
    #[must_use]
    pub fn invalid(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::InvalidRequest, code, message)
    }

    /// 401; its answer names the schemes that the route takes, see [`super::Challenge`].
    #[must_use]
    pub fn unauthorized(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorType::Unauthorized, code, message)
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

    /// 404. The same message in all cases, so that it reveals nothing about what exists.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(
            ErrorType::NotFound,
            Code::NotFound,
            "there is no such resource",
        )
    }

    /// 405; the router adds `allow` if it is missing.
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

    /// 412: the resource was changed by another request.
    #[must_use]
    pub fn precondition_failed() -> Self {
        Self::new(
            ErrorType::PreconditionFailed,
            Code::PreconditionFailed,
            "the resource is not as `if-match` or `if-none-match` demands; get it again",
        )
    }

    /// 413. Closes the connection, because the rest of the body is unread.
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

    /// All invalid values: 422, or 400 on a [`super::Surface`] without 422.
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

    /// One invalid value, with its JSON pointer.
    #[must_use]
    pub fn broken(field: impl Into<String>, rule: impl Display) -> Self {
        Self::validation_failed(vec![Detail::new(field, rule)])
    }

    /// 429, with the seconds until `limit` requests are available again.
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
        .with_retry_after(reset_seconds)
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

    /// 500. The cause is logged with the request id and not sent to the client.
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

    /// 501. Closes the connection, because the length of the body is unknown.
    #[must_use]
    pub fn unsupported_transfer_coding() -> Self {
        Self::new(
            ErrorType::NotImplemented,
            Code::NotImplemented,
            "the only transfer coding that is served is `chunked`",
        )
        .closing()
    }

    /// 503: a dependency is unavailable. The cause is logged.
    #[must_use]
    pub fn unavailable(cause: impl Display, retry_after_seconds: u64) -> Self {
        let mut error = Self::new(
            ErrorType::Unavailable,
            Code::Unavailable,
            "the service cannot decide this request now; try again later",
        )
        .with_retry_after(retry_after_seconds);
        error.0.cause = Some(cause.to_string());
        error
    }

    /// The error for a bare status of the framework.
    #[must_use]
    pub(crate) fn from_status(status: StatusCode) -> Self {
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
}
