//! The console in the browser: the pages of the portal and of the workbench, and the files that they need
//! (docs/console.md).
//!
//! The page is the same for all paths of an app; it asks the API for what it shows, as any other client.

mod files;

use salvo::http::ResBody;
use salvo::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, REFERRER_POLICY, VARY,
};
use salvo::hyper::body::Bytes;
use salvo::{Request, Response, Router, handler};

use crate::methods::Reads as _;
use crate::respond::ApiError;
use files::{ConsoleApp, Representation};

/// Paths of the portal's page, beside `/` and those below `/portal/`. Mails link to some of them.
pub(crate) const PAGES: [&str; 8] = [
    "sign-in",
    "register",
    "verify-email",
    "forgot-password",
    "reset-password",
    "accept-invitation",
    "components",
    "portal",
];

/// Own files only, nothing inline, no frame around it, and no text that becomes markup or code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// What every answer of the console carries. Whoever has a copy asks whether it is still good.
const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (CACHE_CONTROL, "public, no-cache"),
    (VARY, "accept-encoding, origin"),
];

/// The portal on the main listener. A query is the page's to read.
#[must_use]
pub(crate) fn portal() -> Router {
    let pages = PAGES.into_iter().chain(["portal/{*+path}"]);
    app(ConsoleApp::Portal, pages)
}

/// The workbench on the operations listener. Its pages stand beside the API of the same names.
#[must_use]
pub(crate) fn workbench() -> Router {
    let pages = ["sign-in", "workbench", "workbench/{*+path}"];
    app(ConsoleApp::Workbench, pages.into_iter())
}

fn app(app: ConsoleApp, pages: impl Iterator<Item = &'static str>) -> Router {
    let router = Router::new()
        .reads(Page(app))
        .push(Router::with_path("assets/{*+path}").reads(Asset(app)));
    pages.fold(router, |router, path| {
        router.push(Router::with_path(path).reads(Page(app)))
    })
}

struct Page(ConsoleApp);

#[handler]
impl Page {
    fn handle(&self, request: &mut Request, response: &mut Response) -> Result<(), ApiError> {
        send(self.0.page(request.headers()), request, response)
    }
}

struct Asset(ConsoleApp);

#[handler]
impl Asset {
    fn handle(&self, request: &mut Request, response: &mut Response) -> Result<(), ApiError> {
        let path = request.param::<&str>("path").unwrap_or_default();
        send(self.0.asset(path, request.headers()), request, response)
    }
}

/// 200, or 304 where the client has it already.
fn send(
    found: Option<Representation>,
    request: &Request,
    response: &mut Response,
) -> Result<(), ApiError> {
    let found = found.ok_or_else(ApiError::not_found)?;
    found.etag.check_if_match(request.headers())?;
    let is_known = found.etag.is_known_to(request.headers())?;
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    if is_known {
        found.etag.write_not_modified(response);
        return Ok(());
    }
    found.etag.write(response);
    let content_type = HeaderValue::from_str(&found.content_type).map_err(ApiError::internal)?;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    if let Some(coding) = found.coding {
        response
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response.body(ResBody::Once(Bytes::from_static(found.bytes)));
    Ok(())
}
