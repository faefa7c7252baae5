//! Error types with their status, and error codes: the table of contract section 2.

use salvo::http::StatusCode;

macro_rules! error_types {
    ($($name:ident = $text:literal, $status:ident: [$($code:ident),+];)+) => {
        /// The `type` of an error; it determines the status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorType {
            $(#[doc = concat!("`", $text, "`")] $name,)+
        }

        impl ErrorType {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)+
                }
            }

            /// In the contract's order.
            pub const fn codes(self) -> &'static [Code] {
                match self {
                    $(Self::$name => &[$(Code::$code),+],)+
                }
            }
        }
    };
}

// In the contract's order.
error_types! {
    InvalidRequest = "INVALID_REQUEST", BAD_REQUEST: [
        InvalidRequest, MalformedJson, UnknownField, MissingField, WrongType, BadParameter,
        NonCanonicalTarget, BadHost, AmbiguousCredentials, ValidationFailed, SlugTaken,
        EmailTaken, OwnRole, LastOwner, TargetIsOwner, InvalidLink
    ];
    Unauthorized = "UNAUTHORIZED", UNAUTHORIZED: [
        MissingCredentials, MalformedAuthorization, ClockSkew, InvalidSignature,
        BodyHashMismatch, ReplayedNonce, KeyRevoked, KeyExpired, IpNotAllowed,
        ServiceAccountDisabled, InvalidToken, TokenExpired, InvalidLogin
    ];
    Forbidden = "FORBIDDEN", FORBIDDEN: [
        Forbidden, NotPermitted, ForbiddenByPolicy, EmailNotVerified, OriginNotAllowed
    ];
    OrganizationDeactivated = "ORGANIZATION_DEACTIVATED", FORBIDDEN: [OrganizationDeactivated];
    NotFound = "NOT_FOUND", NOT_FOUND: [NotFound];
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED: [MethodNotAllowed];
    Conflict = "CONFLICT", CONFLICT: [SlugTaken, AlreadyMember, KeyNotActive];
    PreconditionFailed = "PRECONDITION_FAILED", PRECONDITION_FAILED: [PreconditionFailed];
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", PAYLOAD_TOO_LARGE: [PayloadTooLarge];
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", UNSUPPORTED_MEDIA_TYPE: [UnsupportedMediaType];
    ValidationFailed = "VALIDATION_FAILED", UNPROCESSABLE_ENTITY: [ValidationFailed];
    RateLimitExceeded = "RATE_LIMIT_EXCEEDED", TOO_MANY_REQUESTS: [RateLimitExceeded];
    InternalError = "INTERNAL_ERROR", INTERNAL_SERVER_ERROR: [InternalError];
    NotImplemented = "NOT_IMPLEMENTED", NOT_IMPLEMENTED: [NotImplemented];
    Unavailable = "UNAVAILABLE", SERVICE_UNAVAILABLE: [Unavailable];
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
