//! Error types with their status, and error codes: the table of contract section 2.

use salvo::http::StatusCode;

/// The `type` of an error; it determines the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// 400
    InvalidRequest,
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 403
    OrganizationDeactivated,
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 409
    Conflict,
    /// 412
    PreconditionFailed,
    /// 413
    PayloadTooLarge,
    /// 415
    UnsupportedMediaType,
    /// 422
    ValidationFailed,
    /// 429
    RateLimitExceeded,
    /// 500
    InternalError,
    /// 501
    NotImplemented,
    /// 503
    Unavailable,
}

impl ErrorType {
    /// In the contract's order.
    pub const ALL: [Self; 15] = [
        Self::InvalidRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::OrganizationDeactivated,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::ValidationFailed,
        Self::RateLimitExceeded,
        Self::InternalError,
        Self::NotImplemented,
        Self::Unavailable,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Forbidden => "FORBIDDEN",
            Self::OrganizationDeactivated => "ORGANIZATION_DEACTIVATED",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::Conflict => "CONFLICT",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::ValidationFailed => "VALIDATION_FAILED",
            Self::RateLimitExceeded => "RATE_LIMIT_EXCEEDED",
            Self::InternalError => "INTERNAL_ERROR",
            Self::NotImplemented => "NOT_IMPLEMENTED",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::OrganizationDeactivated => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ValidationFailed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimitExceeded => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl ErrorType {
    /// In the contract's order.
    #[must_use]
    pub const fn codes(self) -> &'static [Code] {
        match self {
            Self::InvalidRequest => &[
                Code::InvalidRequest,
                Code::MalformedJson,
                Code::UnknownField,
                Code::MissingField,
                Code::WrongType,
                Code::BadParameter,
                Code::NonCanonicalTarget,
                Code::BadHost,
                Code::AmbiguousCredentials,
                Code::ValidationFailed,
                Code::SlugTaken,
                Code::EmailTaken,
                Code::OwnRole,
                Code::LastOwner,
                Code::TargetIsOwner,
                Code::InvalidLink,
            ],
            Self::Unauthorized => &[
                Code::MissingCredentials,
                Code::MalformedAuthorization,
                Code::ClockSkew,
                Code::InvalidSignature,
                Code::BodyHashMismatch,
                Code::ReplayedNonce,
                Code::KeyRevoked,
                Code::KeyExpired,
                Code::IpNotAllowed,
                Code::ServiceAccountDisabled,
                Code::InvalidToken,
                Code::TokenExpired,
                Code::InvalidLogin,
            ],
            Self::Forbidden => &[
                Code::Forbidden,
                Code::NotPermitted,
                Code::ForbiddenByPolicy,
                Code::EmailNotVerified,
                Code::OriginNotAllowed,
            ],
            Self::OrganizationDeactivated => &[Code::OrganizationDeactivated],
            Self::NotFound => &[Code::NotFound],
            Self::MethodNotAllowed => &[Code::MethodNotAllowed],
            Self::Conflict => &[Code::SlugTaken, Code::AlreadyMember, Code::KeyNotActive],
            Self::PreconditionFailed => &[Code::PreconditionFailed],
            Self::PayloadTooLarge => &[Code::PayloadTooLarge],
            Self::UnsupportedMediaType => &[Code::UnsupportedMediaType],
            Self::ValidationFailed => &[Code::ValidationFailed],
            Self::RateLimitExceeded => &[Code::RateLimitExceeded],
            Self::InternalError => &[Code::InternalError],
            Self::NotImplemented => &[Code::NotImplemented],
            Self::Unavailable => &[Code::Unavailable],
        }
    }
}

macro_rules! codes {
    ($($name:ident = $text:literal),+ $(,)?) => {
        /// The `code` of an error.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = concat!("`", $text, "`")] $name,)+
        }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

codes! {
    // What is no HTTP that is served: framing, version, a head that is too large, a body that does not arrive. All
    // else has a code of its own.
    InvalidRequest = "INVALID_REQUEST",
    MalformedJson = "MALFORMED_JSON",
    UnknownField = "UNKNOWN_FIELD",
    MissingField = "MISSING_FIELD",
    WrongType = "WRONG_TYPE",
    BadParameter = "BAD_PARAMETER",
    NonCanonicalTarget = "NON_CANONICAL_TARGET",
    BadHost = "BAD_HOST",
    AmbiguousCredentials = "AMBIGUOUS_CREDENTIALS",
    ValidationFailed = "VALIDATION_FAILED",
    SlugTaken = "SLUG_TAKEN",
    EmailTaken = "EMAIL_TAKEN",
    OwnRole = "OWN_ROLE",
    LastOwner = "LAST_OWNER",
    TargetIsOwner = "TARGET_IS_OWNER",
    InvalidLink = "INVALID_LINK",
    MissingCredentials = "MISSING_CREDENTIALS",
    MalformedAuthorization = "MALFORMED_AUTHORIZATION",
    ClockSkew = "CLOCK_SKEW",
    InvalidSignature = "INVALID_SIGNATURE",
    BodyHashMismatch = "BODY_HASH_MISMATCH",
    ReplayedNonce = "REPLAYED_NONCE",
    KeyRevoked = "KEY_REVOKED",
    KeyExpired = "KEY_EXPIRED",
    IpNotAllowed = "IP_NOT_ALLOWED",
    ServiceAccountDisabled = "SERVICE_ACCOUNT_DISABLED",
    InvalidToken = "INVALID_TOKEN",
    TokenExpired = "TOKEN_EXPIRED",
    InvalidLogin = "INVALID_LOGIN",
    Forbidden = "FORBIDDEN",
    NotPermitted = "NOT_PERMITTED",
    ForbiddenByPolicy = "FORBIDDEN_BY_POLICY",
    EmailNotVerified = "EMAIL_NOT_VERIFIED",
    OriginNotAllowed = "ORIGIN_NOT_ALLOWED",
    OrganizationDeactivated = "ORGANIZATION_DEACTIVATED",
    NotFound = "NOT_FOUND",
    MethodNotAllowed = "METHOD_NOT_ALLOWED",
    AlreadyMember = "ALREADY_MEMBER",
    KeyNotActive = "KEY_NOT_ACTIVE",
    PreconditionFailed = "PRECONDITION_FAILED",
    PayloadTooLarge = "PAYLOAD_TOO_LARGE",
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE",
    RateLimitExceeded = "RATE_LIMIT_EXCEEDED",
    InternalError = "INTERNAL_ERROR",
    NotImplemented = "NOT_IMPLEMENTED",
    Unavailable = "UNAVAILABLE",
}
