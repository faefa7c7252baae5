//! The credentials that operations take, as the OpenAPI document describes them.

use salvo::oapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use salvo::oapi::{Components, Operation, SecurityRequirement};

use charter_domain::permission::Permission;

use crate::extract::operation::Accepts;
use crate::respond::headers::describe_condition;
use crate::respond::{ErrorType, error_document};

/// The credential of a signed request, and what is signed along with it.
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
        "The SHA-256 of the body's bytes in lowercase hex, of no bytes where there is no body.",
    ),
];

const BEARER: &str = "bearerToken";

/// The schemes, by their names in the document.
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

/// What an operation's declaration says about it.
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    /// What policy is asked.
    pub permission: Permission,
    /// Which credentials it takes.
    pub accepts: Accepts,
    /// Whether what it is about has an entity tag, so that conditions on it are honoured.
    pub has_etag: bool,
    /// Refusals of its own.
    pub refuses: &'static [ErrorType],
}

/// Writes into an operation what its argument demands of a request, and how it refuses.
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
            "Do it only if the resource still has this `etag`; `*` for any.",
        );
        error_document::describe(components, operation, ErrorType::PreconditionFailed);
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

/// Says that an operation takes a bearer token and nothing else.
pub fn require_bearer(operation: &mut Operation) {
    let none = [(); 0].map(|()| String::new());
    operation.securities = Some(vec![SecurityRequirement::new(BEARER, none)]);
}

/// Says that an operation takes a bearer token or none.
pub fn allow_bearer(operation: &mut Operation) {
    let none = [(); 0].map(|()| String::new());
    operation.securities = Some(vec![
        SecurityRequirement::default(),
        SecurityRequirement::new(BEARER, none),
    ]);
}
