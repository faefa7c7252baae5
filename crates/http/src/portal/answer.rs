//! Responses of the portal: an access token with its cookie, and empty results.

use salvo::oapi::{Array, Components, Content, EndpointOutRegister, Object, Operation, ToSchema};
use salvo::prelude::{Json, Response};
use salvo::writing::Scribe;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::extract::cookie;
use crate::respond::headers;
use crate::state::State;
use charter_authn::secrets::access_token::LIFETIME;
use charter_authn::users::SignedIn;

/// An access token (RFC 6750 section 4).
#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "AccessToken"))]
pub(crate) struct AccessTokenBody {
    /// For the `authorization` header.
    #[salvo(schema(
        example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSIsImtpZCI6InRva2VuLTEifQ.e30.c2ln"
    ))]
    access_token: String,
    #[salvo(schema(example = "Bearer"))]
    token_type: &'static str,
    /// In seconds.
    #[salvo(schema(example = 900))]
    expires_in: u64,
}

/// 200 with an access token, and the refresh token as a cookie.
pub(crate) struct Token {
    signed_in: SignedIn,
    is_secure: bool,
}

impl Token {
    pub(super) fn new(signed_in: SignedIn, state: &State) -> Self {
        Self {
            signed_in,
            is_secure: state.secure_cookie,
        }
    }
}

impl Scribe for Token {
    fn render(self, response: &mut Response) {
        cookie::set(response, &self.signed_in.refresh_token, self.is_secure);
        if let Some(device) = &self.signed_in.device {
            cookie::set_device(response, device, self.is_secure);
        }
        response.render(Json(AccessTokenBody {
            access_token: self.signed_in.access_token.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in: LIFETIME.as_secs(),
        }));
    }
}

impl EndpointOutRegister for Token {
    fn register(components: &mut Components, operation: &mut Operation) {
        let schema = AccessTokenBody::to_schema(components);
        let answer = headers::answer("OK").add_content("application/json", schema);
        operation
            .responses
            .insert("200", headers::with_cookie(answer));
    }
}

/// 200 `{}`.
pub(crate) struct Done {
    cookie: Option<Change>,
    is_secure: bool,
}

/// A change of the refresh cookie.
enum Change {
    Clear,
    SetDevice(SecretString),
}

impl Done {
    pub(super) const fn plain() -> Self {
        Self {
            cookie: None,
            is_secure: true,
        }
    }

    pub(super) fn clearing_the_cookie(state: &State) -> Self {
        Self {
            cookie: Some(Change::Clear),
            is_secure: state.secure_cookie,
        }
    }

    pub(super) fn setting_the_device(device: Option<SecretString>, state: &State) -> Self {
        Self {
            cookie: device.map(Change::SetDevice),
            is_secure: state.secure_cookie,
        }
    }
}

impl Scribe for Done {
    fn render(self, response: &mut Response) {
        match &self.cookie {
            Some(Change::Clear) => cookie::clear(response, self.is_secure),
            Some(Change::SetDevice(device)) => {
                cookie::set_device(response, device, self.is_secure);
            }
            None => {}
        }
        response.render(Json(Map::<String, Value>::new()));
    }
}

impl EndpointOutRegister for Done {
    fn register(_: &mut Components, operation: &mut Operation) {
        let schema = Object::new()
            .max_properties(0)
            .examples([serde_json::json!({})]);
        let answer = headers::answer("OK").add_content("application/json", Content::new(schema));
        operation.responses.insert("200", answer);
    }
}

/// 200 with an array of JSON.
pub(crate) struct ShownList<T>(pub Vec<T>);

impl<T: Serialize + Send> Scribe for ShownList<T> {
    fn render(self, response: &mut Response) {
        response.render(Json(self.0));
    }
}

impl<T: ToSchema> EndpointOutRegister for ShownList<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let all = Array::new().items(T::to_schema(components));
        let answer = headers::answer("OK").add_content("application/json", Content::new(all));
        operation.responses.insert("200", answer);
    }
}
