//! The credentials of operations in the OpenAPI document.

use salvo::oapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use salvo::oapi::{Components, Operation, SecurityRequirement};

use charter_domain::permission::Permission;

use crate::extract::operation::Accepts;
use crate::respond::headers::describe_condition;
use crate::respond::{ErrorType, error_document};

/// The headers of a signed request.
const SIGNED: [(&str, &str, &str); 4] = [
    (
        "signedRequest",
        "authorization",
        "`HMAC {access_key}:{signature}` with signature = base64(HMAC-SHA256(secret_key, METHOD \\n PATH \\n \
         QUERY \\n x-date \\n x-nonce \\n x-content-sha256)): standard alphabet, padded, no line feed at the \
         end; path and query are the bytes that are sent. `charter request` and the `signing` crate do \
         it; docs/signing.md shows how from other languages.",
    ),
    (
        "signedDate",
        "x-date",
        "When it was signed, `YYYY-MM-DDTHH:MM:SSZ`, within 300 s of the server's clock.",
    ),
    (
        "signedNonce",
        "x-nonce",
        "8 to 128 characters of `[A-Za-z0-9._~-]`, never used before with this access key.",
    ),
    (
        "signedContent",
        "x-content-sha256",
        "The SHA-256 of the body's bytes in lowercase hex; without a body, that of the empty string.",
    ),
];

const BEARER: &str = "bearerToken";

/// The security schemes, by name.
pub fn schemes() -> impl Iterator<Item = (&'static str, SecurityScheme)> {
    let signed = SIGNED.map(|(name, header, description)| {
        let key = ApiKey::Header(ApiKeyValue::with_description(header, description));
        (name, SecurityScheme::ApiKey(key))
    });
    let bearer = Http::new(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description("A portal user's access token.");
    signed
        .into_iter()
        .chain([(BEARER, SecurityScheme::Http(bearer))])
}

/// The declaration of an operation.
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    /// The permission to evaluate.
    pub permission: Permission,
    /// Accepted credential types.
    pub accepts: Accepts,
    /// Whether conditions on its entity tag are supported.
    pub has_etag: bool,
    /// Additional error types.
    pub refuses: &'static [ErrorType],
}

/// Describes the credentials, conditions and errors of an operation.
pub fn describe_authorized(
    components: &mut Components,
    operation: &mut Operation,
    declared: Declared,
) {
    operation.extensions.insert(
        "x-permission".to_owned(),
        declared.permission.as_str().into(),
    );
    let none = [(); 0].map(|()| String::new());
    let signed = SIGNED
        .into_iter()
        .fold(SecurityRequirement::default(), |all, (name, ..)| {
            all.add(name, none.clone())
        });
    operation.securities = Some(match declared.accepts {
        Accepts::Signed => vec![signed],
        Accepts::Bearer => vec![SecurityRequirement::new(BEARER, none.clone())],
        Accepts::SignedOrBearer => vec![signed, SecurityRequirement::new(BEARER, none.clone())],
    });
    if declared.has_etag {
        describe_condition(
            operation,
            "if-match",
            "Fails unless the resource still has this `etag`; `*` for any.",
        );
    }
    let refusals = [
        ErrorType::Unauthorized,
        ErrorType::Forbidden,
        ErrorType::RateLimitExceeded,
    ];
    for refusal in refusals.into_iter().chain(declared.refuses.iter().copied()) {
        error_document::describe(components, operation, refusal);
    }
}

/// Marks an operation as requiring a bearer token.
pub fn require_bearer(operation: &mut Operation) {
    let none = [(); 0].map(|()| String::new());
    operation.securities = Some(vec![SecurityRequirement::new(BEARER, none)]);
}

/// Marks an operation as accepting an optional bearer token.
pub fn allow_bearer(operation: &mut Operation) {
    let none = [(); 0].map(|()| String::new());
    operation.securities = Some(vec![
        SecurityRequirement::default(),
        SecurityRequirement::new(BEARER, none),
    ]);
}
