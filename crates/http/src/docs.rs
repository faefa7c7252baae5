//! The API's documentation: `/openapi.json` and `/docs`. Swagger UI is embedded in the binary, so the page loads
//! nothing from other hosts.

use std::borrow::Cow;
use std::sync::LazyLock;

use charter_macros::boxed;
use salvo::http::ResBody;
use salvo::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY};
use salvo::hyper::body::Bytes;
use salvo::oapi::{
    BasicType, Components, Content, EndpointOutRegister, Object, Operation, endpoint,
};
use salvo::writing::Scribe;
use salvo::{Depot, Response, Router, handler};
use salvo_oapi::swagger_ui::{self, Config};

use crate::methods::Reads as _;
use crate::respond::caching::allow_caching;
use crate::respond::{ApiError, headers};
use crate::state::SharedState;

/// The page. Its own script and style are the console's ([`crate::console`]).
const INDEX: &str = include_str!("../../../console/docs/index.html");

/// No external resources, nothing inline; Swagger UI's style sheet embeds images.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The page's style and script, decompressed once and shared by all responses.
static STYLE: LazyLock<Option<Bytes>> = LazyLock::new(|| embedded("swagger-ui.css"));
static SCRIPT: LazyLock<Option<Bytes>> = LazyLock::new(|| embedded("swagger-ui-bundle.js"));

/// This OpenAPI 3.1 document.
#[endpoint(operation_id = "getOpenApi", tags("service"))]
#[boxed]
pub async fn openapi_json(depot: &mut Depot) -> Result<Document, ApiError> {
    Ok(Document((SharedState::of(depot)?.document)()))
}

/// The OpenAPI document as a response.
pub(crate) struct Document(&'static str);

impl Scribe for Document {
    fn render(self, response: &mut Response) {
        let document = Bytes::from_static(self.0.as_bytes());
        send(response, "application/json", document);
    }
}

impl EndpointOutRegister for Document {
    fn register(_: &mut Components, operation: &mut Operation) {
        let version = Object::with_type(BasicType::String).examples(["3.1.0"]);
        let schema = Object::new()
            .property("openapi", version)
            .required("openapi");
        let document = headers::answer("OK").add_content("application/json", Content::new(schema));
        operation.responses.insert("200", document);
    }
}

/// The API's documentation page.
#[endpoint(operation_id = "browse", tags("service"))]
#[boxed]
pub async fn index() -> Result<Page, ApiError> {
    Ok(Page)
}

pub(crate) struct Page;

impl Scribe for Page {
    fn render(self, response: &mut Response) {
        let page = Bytes::from_static(INDEX.as_bytes());
        send(response, "text/html; charset=utf-8", page);
        allow_caching(response);
        for (name, value) in [
            (CONTENT_SECURITY_POLICY, POLICY),
            (REFERRER_POLICY, "no-referrer"),
        ] {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
    }
}

impl EndpointOutRegister for Page {
    fn register(_: &mut Components, operation: &mut Operation) {
        let page = headers::answer("OK").add_content(
            "text/html",
            Content::new(Object::with_type(BasicType::String)),
        );
        operation.responses.insert("200", page);
    }
}

/// The files that the page needs.
#[must_use]
pub(crate) fn assets() -> Router {
    Router::with_path("docs")
        .push(Router::with_path("swagger-ui.css").reads(Asset::Style))
        .push(Router::with_path("swagger-ui-bundle.js").reads(Asset::Script))
}

enum Asset {
    Style,
    Script,
}

#[handler]
impl Asset {
    fn handle(&self, response: &mut Response) -> Result<(), ApiError> {
        let (content_type, bytes) = match self {
            Self::Style => ("text/css; charset=utf-8", &STYLE),
            Self::Script => ("text/javascript; charset=utf-8", &SCRIPT),
        };
        let bytes = LazyLock::force(bytes).clone();
        send(
            response,
            content_type,
            bytes.ok_or_else(ApiError::not_found)?,
        );
        allow_caching(response);
        Ok(())
    }
}

fn embedded(file: &str) -> Option<Bytes> {
    let file = swagger_ui::serve(file, "", "", "", &Config::default())
        .ok()
        .flatten()?;
    Some(match file.bytes {
        Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
        Cow::Owned(bytes) => bytes.into(),
    })
}

fn send(response: &mut Response, content_type: &'static str, body: Bytes) {
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.body(ResBody::Once(body));
}
