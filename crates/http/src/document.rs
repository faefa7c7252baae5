//! Builds the OpenAPI document from the operations.

mod described;
mod examples;

use std::sync::LazyLock;

use salvo::oapi::{Info, License, OpenApi, PathItemType, Server, Tag};

use crate::extract::security;
use crate::respond::{ErrorType, Surface, error_document, headers};
use crate::router;

/// Rendered once.
#[expect(clippy::expect_used, reason = "all keys are texts")]
static TEXT: LazyLock<String> = LazyLock::new(|| document().to_pretty_json().expect("JSON"));

/// Paths that ignore conditions.
const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

const TAGS: [(&str, &str); 11] = [
    ("organizations", "The caller's own organization."),
    (
        "sign-in",
        "For users without a token: registration, sign-in, refresh, recovery. Not subject to policies; each \
         `POST` refuses an `Origin` that is not the portal's.",
    ),
    ("portal", "The user's own organization."),
    (
        "me",
        "The calling user and its sessions. Not subject to policies.",
    ),
    ("team", "The users of the organization and their roles."),
    ("accounts", "Workspaces inside the organization."),
    (
        "service accounts",
        "Identities of programs, with their roles and permissions. Callers can grant only what policies allow them to grant.",
    ),
    (
        "keys",
        "The keys with which service accounts sign. A secret is shown once.",
    ),
    (
        "audit events",
        "Changes in the organization with their actors: a list, and a feed.",
    ),
    (
        "decisions",
        "Authorization decisions and their explanations.",
    ),
    ("service", "Public pages."),
];

fn document() -> OpenApi {
    let info = Info::new("Charter", env!("CARGO_PKG_VERSION"))
        .description(
            "Organizations, their accounts, service accounts and keys. Every permission is decided \
             by Cedar policies; `x-permission` names the one that an operation asks for.\n\n\
             Every response has `x-request-id` and `x-correlation-id` with the same value, and all errors \
             have the same format. Unknown paths and methods get 404 or 405 (with `allow`) before any \
             credential is checked.",
        )
        .license(License::new("Apache-2.0").identifier("Apache-2.0"));
    let mut document = OpenApi::with_info(info)
        .servers([Server::new("/").description("the server that serves this document")])
        .tags(TAGS.map(|(name, description)| Tag::new(name).description(description)));
    for (name, scheme) in security::schemes() {
        document = document.add_security_scheme(name, scheme);
    }
    let mut document = document.merge_router(&router::described());
    for (path, item) in document.paths.iter_mut() {
        for (method, operation) in item.operations.iter_mut() {
            if !HEALTH.contains(&path.as_str()) {
                let conditional = ErrorType::PreconditionFailed;
                error_document::describe(&mut document.components, operation, conditional);
                if *method == PathItemType::Get && !operation.responses.contains_key("304") {
                    let unchanged = headers::answer("`if-none-match: *`: there is something");
                    operation.responses.insert("304", unchanged);
                }
            }
            if *method != PathItemType::Get && operation.securities.is_some() {
                error_document::describe_deactivation(&mut document.components, operation);
            }
            if Surface::of(path) == Surface::Portal {
                let unprocessable = ErrorType::ValidationFailed.status();
                operation.responses.remove(unprocessable.as_str());
            }
        }
    }
    described::merge(&mut document);
    examples::compose(&mut document);
    document
}

#[must_use]
pub fn text() -> &'static str {
    &TEXT
}

#[cfg(test)]
mod tests {
    use salvo::oapi::RefOr;

    use super::*;

    #[test]
    fn every_body_has_an_example() {
        let document = document();
        let mut bodies = 0;
        for (path, item) in document.paths.iter() {
            for (method, operation) in item.operations.iter() {
                let answers = operation.responses.values().filter_map(|it| match it {
                    RefOr::Type(response) => Some(&response.contents),
                    RefOr::Ref(_) => None,
                });
                let requests = operation.request_body.iter().map(|body| &body.contents);
                for (kind, content) in answers.chain(requests).flatten() {
                    bodies += 1;
                    assert!(
                        content.example.is_some() || kind == "text/html",
                        "{method:?} {path}: {}",
                        serde_json::to_string(content).expect("JSON")
                    );
                }
            }
        }
        assert!(bodies > 20, "only {bodies} bodies found");
    }
}
