//! `/.well-known/jwks.json`: the public keys of access tokens (RFC 7517).

use charter_macros::boxed;
use salvo::Depot;
use salvo::oapi::{
    Array, BasicType, Components, Content, EndpointOutRegister, Object, Operation, endpoint,
};
use salvo::prelude::{Json, Response};
use salvo::writing::Scribe;
use serde_json::{Value, json};

use crate::respond::caching::allow_caching;
use crate::respond::{ApiError, headers};
use crate::state::SharedState;

/// The public keys that access tokens verify with; `kid` in a token's header names one.
#[endpoint(operation_id = "getJwks", tags("sign-in"))]
#[boxed]
pub async fn get(depot: &mut Depot) -> Result<Jwks, ApiError> {
    let keys = SharedState::of(depot)?.portal_users.public_keys();
    let keys = serde_json::to_value(keys).map_err(ApiError::internal)?;
    Ok(Jwks(keys))
}

/// A JWK set.
pub(crate) struct Jwks(Value);

impl Scribe for Jwks {
    fn render(self, response: &mut Response) {
        response.render(Json(self.0));
        allow_caching(response);
    }
}

impl EndpointOutRegister for Jwks {
    fn register(_: &mut Components, operation: &mut Operation) {
        let member = || Object::with_type(BasicType::String);
        let key = ["kty", "crv", "x", "kid", "alg", "use"]
            .into_iter()
            .fold(Object::new(), |key, name| {
                key.property(name, member()).required(name)
            });
        let set = Object::new()
            .property("keys", Array::new().items(key))
            .required("keys")
            .examples([json!({"keys": [{
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "token-1",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }]})]);
        let answer = headers::answer("OK").add_content("application/json", Content::new(set));
        operation.responses.insert("200", answer);
    }
}
