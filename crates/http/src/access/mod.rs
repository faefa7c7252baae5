//! The policy decision point: `OpenID` `AuthZEN` Authorization API 1.0 (contract section 7).
//!
//! It knows the protocol; a [`domain::Domain`] knows who and what there is, and which policies decide.

mod answer;
mod asked;
mod built_in;
pub(crate) mod custom;
mod discovery;
mod domain;
mod evaluation;
mod forward_auth;
mod page;
pub(crate) mod question;
pub(crate) mod records;
mod search;

use salvo::Router;

use crate::extract::query::NoParameters;
use crate::methods::Reads as _;

pub use asked::Listener;

/// Whether a request to this path is one to the decision point, right or wrong: its `x-request-id` comes back as it
/// was sent (`AuthZEN` section 10.1.3: an arbitrary string), where the rest of the service keeps well-formed ones
/// only. Logs and records have the service's own.
#[must_use]
pub fn is_path(path: &str) -> bool {
    let built_in = path.strip_prefix("/domains/").map_or(path, |rest| {
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or(path)
    });
    ["/access/v1", "/.well-known/authzen-configuration"]
        .iter()
        .any(|of| built_in.starts_with(of))
}

/// What both listeners serve; on the operators' one, their token is taken, too.
#[must_use]
pub fn router(listener: Listener) -> Router {
    let metadata = Router::with_path(".well-known/authzen-configuration")
        .hoop(NoParameters)
        .reads(discovery::metadata)
        .push(Router::with_path("domains/{domain}").reads(discovery::metadata));
    Router::new()
        .hoop(listener)
        .push(Router::with_path("access/v1").push(endpoints()))
        .push(Router::with_path("domains/{domain}/access/v1").push(endpoints()))
        .push(metadata)
}

/// The endpoints of one domain.
fn endpoints() -> Router {
    let questions = Router::with_hoop(NoParameters)
        .push(Router::with_path("evaluation").post(evaluation::one))
        .push(Router::with_path("evaluations").post(evaluation::many))
        .push(Router::with_path("search/subject").post(search::subject))
        .push(Router::with_path("search/resource").post(search::resource))
        .push(Router::with_path("search/action").post(search::action));
    let forward_auth = Router::with_path("forward-auth")
        .reads(forward_auth::forward_auth)
        .post(forward_auth::forward_auth);
    Router::new().push(questions).push(forward_auth)
}
