//! The OpenAPI document, made from the operations themselves.

mod examples;
pub mod headers;

use salvo::oapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use salvo::oapi::{
    Components, Info, License, OpenApi, Operation, Parameter, ParameterIn, PathItemType, Required,
    SecurityRequirement, Server, Tag,
};

use charter_domain::permission::Permission;

use super::error::{self, ErrorType};
use super::operation::Accepts;
use super::router;

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

const TAGS: [(&str, &str); 10] = [
    ("organizations", "The caller's own organization."),
    (
        "sign-in",
        "For people without a token: register, sign in, stay signed in, get back in. No policy decides \
         these; each `POST` refuses an `Origin` that is not the portal's.",
    ),
    (
        "portal",
        "A person's own organization, as the portal shows it.",
    ),
    (
        "me",
        "The person who asks, and where it is signed in. No policy decides these.",
    ),
    ("team", "The people of the organization and their roles."),
    ("accounts", "Workspaces inside the organization."),
    (
        "service accounts",
        "Machine identities, their roles and permissions. Nobody grants what it may not.",
    ),
    (
        "keys",
        "What service accounts sign with. A secret is shown once.",
    ),
    ("decisions", "What policy answered, and why."),
    ("service", "Pages for anybody, without credentials."),
];

/// The whole document (OpenAPI 3.1).
#[must_use]
pub fn document() -> OpenApi {
    let info = Info::new("Charter", env!("CARGO_PKG_VERSION"))
        .description(
            "Organizations, their accounts, service accounts and keys. Every permission is decided \
             by Cedar policies; `x-permission` names the one that an operation asks for.\n\n\
             Every answer carries `x-request-id` and `x-correlation-id`, the same value, and every \
             error has one shape. A path or a method that is not here is answered by 404 or 405 \
             (with `allow`), before any credential is looked at.",
        )
        .license(License::new("Apache-2.0").identifier("Apache-2.0"));
    let mut document = OpenApi::with_info(info)
        .servers([Server::new("/").description("the server that serves this document")])
        .tags(TAGS.map(|(name, description)| Tag::new(name).description(description)));
    for (name, header, description) in SIGNED {
        let key = ApiKey::Header(ApiKeyValue::with_description(header, description));
        document = document.add_security_scheme(name, SecurityScheme::ApiKey(key));
    }
    let bearer = Http::new(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description("A portal user's access token.");
    document = document
        .add_security_scheme(BEARER, SecurityScheme::Http(bearer))
        .merge_router(&router::described());
    for item in document.paths.values_mut() {
        for (method, operation) in item.operations.iter_mut() {
            if *method != PathItemType::Get && operation.securities.is_some() {
                error::describe_deactivation(&mut document.components, operation);
            }
        }
    }
    examples::compose(&mut document);
    document
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
        error::describe(components, operation, ErrorType::PreconditionFailed);
    }
    let refusals = [
        ErrorType::Unauthorized,
        ErrorType::Forbidden,
        ErrorType::RateLimitExceeded,
    ];
    for refusal in refusals.into_iter().chain(declared.refuses.iter().copied()) {
        error::describe(components, operation, refusal);
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

/// Adds `if-match` or `if-none-match` to an operation.
pub fn describe_condition(operation: &mut Operation, name: &str, description: &str) {
    let parameter = Parameter::new(name)
        .location(ParameterIn::Header)
        .required(Required::False)
        .description(description)
        .schema(headers::etags_schema());
    operation.parameters.insert(parameter);
}
