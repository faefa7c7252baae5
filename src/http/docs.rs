//! The API's description: `/openapi.json` and, for people, `/docs`. Swagger UI is built into the
//! binary, so the page needs nothing from outside.

use salvo::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use salvo::oapi::OpenApi;
use salvo::{Depot, FlowCtrl, Handler, Request, Response, async_trait, handler};
use salvo_oapi::swagger_ui::{self, Config};

use super::error::ApiError;

const INDEX: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Charter API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"#;

const START: &str = r##"SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  // Requests need a signature, which a page cannot make: see docs/signing.md.
  supportedSubmitMethods: [],
  validatorUrl: null,
});
"##;

/// Nothing from outside, nothing inline but the styles that the page's script sets.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// `GET /openapi.json`, rendered once.
pub struct Document(String);

impl Document {
    /// Renders the document.
    #[must_use]
    pub fn new(document: &OpenApi) -> Self {
        Self(document.to_pretty_json().unwrap_or_default())
    }

    /// The rendered text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

#[async_trait]
impl Handler for Document {
    async fn handle(
        &self,
        _: &mut Request,
        _: &mut Depot,
        response: &mut Response,
        _: &mut FlowCtrl,
    ) {
        send(response, "application/json", self.0.clone().into_bytes());
    }
}

/// `GET /docs`
#[handler]
pub async fn index(response: &mut Response) {
    send(response, "text/html; charset=utf-8", INDEX.into());
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
}

/// `GET /docs/{file}`: the files that the page needs.
#[handler]
pub async fn asset(request: &mut Request, response: &mut Response) -> Result<(), ApiError> {
    let (content_type, bytes) = match request.param::<&str>("file").unwrap_or_default() {
        "start.js" => ("text/javascript; charset=utf-8", START.into()),
        file @ "swagger-ui.css" => ("text/css; charset=utf-8", embedded(file)?),
        file @ "swagger-ui-bundle.js" => ("text/javascript; charset=utf-8", embedded(file)?),
        _ => return Err(ApiError::not_found()),
    };
    send(response, content_type, bytes);
    Ok(())
}

fn embedded(file: &str) -> Result<Vec<u8>, ApiError> {
    swagger_ui::serve(file, "", "", "", &Config::default())
        .ok()
        .flatten()
        .map(|file| file.bytes.into_owned())
        .ok_or_else(ApiError::not_found)
}

fn send(response: &mut Response, content_type: &'static str, body: Vec<u8>) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    );
    response.body(body);
}
