//! The OpenAPI document, made from the operations themselves.

use salvo::oapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use salvo::oapi::{Info, License, OpenApi, Operation, SecurityRequirement};

use crate::domain::permission::Permission;

use super::operation::Accepts;
use super::router;

const SIGNED: &str = "signedRequest";
const BEARER: &str = "bearerToken";

/// The whole document (OpenAPI 3.1).
#[must_use]
pub fn document() -> OpenApi {
    let info = Info::new("Charter", env!("CARGO_PKG_VERSION"))
        .description(
            "Organizations, their accounts, service accounts and keys. \
             Every permission is decided by Cedar policies.",
        )
        .license(License::new("Apache-2.0"));
    let signed = ApiKey::Header(ApiKeyValue::with_description(
        "authorization",
        "`HMAC {access_key}:{signature}`, with `x-date`, `x-nonce` and `x-content-sha256`: \
         the signature is base64(HMAC-SHA256(secret, method LF path LF query LF x-date LF x-nonce \
         LF x-content-sha256)).",
    ));
    OpenApi::with_info(info)
        .add_security_scheme(SIGNED, SecurityScheme::ApiKey(signed))
        .add_security_scheme(
            BEARER,
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        )
        .merge_router(&router::operations())
}

/// Writes into an operation what its argument demands of a request.
pub fn describe_authorized(operation: &mut Operation, permission: Permission, accepts: Accepts) {
    operation
        .extensions
        .insert("x-permission".to_owned(), permission.as_str().into());
    let schemes: &[&str] = match accepts {
        Accepts::Signed => &[SIGNED],
        Accepts::SignedOrBearer => &[SIGNED, BEARER],
    };
    let requirements = schemes
        .iter()
        .map(|scheme| SecurityRequirement::new::<_, _, String>(*scheme, []));
    operation.securities = Some(requirements.collect());
}
