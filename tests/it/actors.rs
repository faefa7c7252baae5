//! Only a credential makes a caller, and few files say otherwise who makes a change. The fields of `AuditContext` are
//! public and the types lie below the store, so the compiler does not hold this; clippy does it for callers.

use std::collections::BTreeSet;

use crate::sources::{self, Source};

/// The files that put together who makes a change, and why it is allowed.
const AUDIT_CONTEXTS: [&str; 7] = [
    "crates/authn/src/signed/leaked.rs",
    "crates/authn/src/users/refresh.rs",
    "crates/authn/src/users/service.rs",
    "crates/http/src/extract/authorized.rs",
    "crates/http/src/extract/authorizer.rs",
    "src/app/provision.rs",
    "src/cli/policy/approve.rs",
];
/// The files that name an actor which the store checks nothing of.
const UNCHECKED_ACTORS: [(&str, &str); 6] = [
    ("Anonymous", "crates/authn/src/users/recovery.rs"),
    ("Anonymous", "crates/authn/src/users/refresh.rs"),
    ("LeakReport", "crates/authn/src/signed/leaked.rs"),
    ("Operator", "src/app/provision.rs"),
    ("Operator", "src/cli/policy/approve.rs"),
    ("System", "src/app/provision.rs"),
];

/// Judge actors: the type's own file and the store.
fn is_judge(path: &str) -> bool {
    path == "crates/domain/src/audit.rs" || path.starts_with("crates/store/src/")
}

/// Whether the file makes an audit context, and the variants of `Actor` that it names.
fn made(source: &Source) -> (bool, BTreeSet<String>) {
    let tokens = sources::code(&source.text).tokens;
    let mut makes_context = false;
    let mut actors = BTreeSet::new();
    for (index, token) in tokens.iter().enumerate() {
        let at = |offset: usize| tokens.get(index + offset).map_or("", String::as_str);
        let before = index.checked_sub(1).map_or("", |before| &tokens[before]);
        if token == "AuditContext" && at(1) == "{" {
            // The type of a result, or of an `impl`.
            makes_context |= ![">", "impl", "for", "struct"].contains(&before);
        }
        if token == "Actor" && (at(1), at(2)) == (":", ":") {
            actors.insert(at(3).to_owned());
        }
    }
    (makes_context, actors)
}

#[test]
fn few_files_say_who_makes_a_change_without_a_credential() {
    let mut contexts = BTreeSet::new();
    let mut unchecked = BTreeSet::new();
    for source in ["src", "crates"].into_iter().flat_map(sources::below) {
        if is_judge(&source.path) {
            continue;
        }
        let (makes_context, actors) = made(&source);
        if makes_context {
            contexts.insert(source.path.clone());
        }
        let has_credential = |actor: &String| ["of", "Key", "Session", "User"].contains(&&**actor);
        let others = actors.into_iter().filter(|actor| !has_credential(actor));
        unchecked.extend(others.map(|actor| (actor, source.path.clone())));
    }
    assert_eq!(contexts, AUDIT_CONTEXTS.map(str::to_owned).into());
    let known = UNCHECKED_ACTORS.map(|(actor, path)| (actor.to_owned(), path.to_owned()));
    assert_eq!(unchecked, known.into());
}

#[test]
fn a_context_that_is_put_together_and_an_imported_actor_are_found() {
    let made = |text: &str| {
        let text = text.to_owned();
        made(&Source {
            path: "crates/http/src/x.rs".to_owned(),
            text,
        })
    };
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    for (text, expected) in [
        ("fn f() { g(AuditContext { at }) }", (true, names(&[]))),
        (
            "fn f(by: &B) -> AuditContext { g(by) }",
            (false, names(&[])),
        ),
        ("impl AuditContext { }", (false, names(&[]))),
        ("fn f() { g(Actor::System) }", (false, names(&["System"]))),
        ("use a::Actor::{System, Key};", (false, names(&["{"]))),
        ("use a::Actor::*;", (false, names(&["*"]))),
        (
            "#[cfg(test)] mod tests { fn f() { Actor::System } }",
            (false, names(&[])),
        ),
    ] {
        assert_eq!(made(text), expected, "{text}");
    }
}
