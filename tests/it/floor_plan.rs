//! The house keeps its floor plan, the table in ARCHITECTURE.md: who may use whom, which crate
//! stays behind which door, how long a file may be and what it may be called.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{self, Source};

const LONGEST: usize = 500;
const DRAWERS: [&str; 4] = ["utils", "common", "helpers", "types"];
const WORKSPACE_CRATES: [&str; 2] = ["migration", "signing"];
/// Who may make a tenant's scope out of an id: only who has verified credentials, or is an operator.
const MAKERS: [(&str, &[&str]); 2] = [
    ("of_authenticated", &["authn", "domain"]),
    ("of_operator", &["app", "authn", "cli", "domain"]),
];

/// Module → what it may use, and which crates stand behind its door.
struct Plan(BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>);

impl Plan {
    fn from_markdown(text: &str) -> Self {
        let names = |cell: &str| -> BTreeSet<String> {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        let rows = text
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| {
                let cells: Vec<&str> = line.split('|').collect();
                let module = names(cells[1]).into_iter().next().expect("a module");
                (module, (names(cells[3]), names(cells[4])))
            });
        Self(rows.collect())
    }

    fn faults(&self, sources: &[Source]) -> Vec<String> {
        let tests: Vec<String> = sources.iter().flat_map(test_files).collect();
        let judged = sources.iter().filter(|source| {
            let stem = source.path.trim_end_matches(".rs");
            !tests
                .iter()
                .any(|test| stem == test || stem.starts_with(&format!("{test}/")))
        });
        judged.flat_map(|source| self.faults_of(source)).collect()
    }

    fn faults_of(&self, source: &Source) -> Vec<String> {
        let mut faults = BTreeSet::new();
        let inside = source
            .path
            .trim_start_matches("src/")
            .trim_end_matches(".rs");
        let steps: Vec<&str> = inside.split('/').filter(|step| *step != "mod").collect();
        let lines = source.text.lines().count();
        if lines > LONGEST {
            faults.insert(format!("has {lines} lines, {LONGEST} are allowed"));
        }
        let code = sources::code(&source.text);
        let declared = code
            .tokens
            .windows(2)
            .filter(|pair| pair[0] == "mod")
            .map(|pair| pair[1].as_str());
        for drawer in steps
            .iter()
            .copied()
            .chain(declared)
            .filter(|name| DRAWERS.contains(name))
        {
            faults.insert(format!(
                "`{drawer}` says nothing: name the module after what it answers for"
            ));
        }
        let module = steps[0];
        if !matches!(module, "lib" | "main") {
            let Some((may_use, _)) = self.0.get(module) else {
                return vec![format!(
                    "{}: `{module}` is not in the floor plan",
                    source.path
                )];
            };
            for (maker, modules) in MAKERS {
                if code.tokens.iter().any(|token| token == maker) && !modules.contains(&module) {
                    faults.insert(format!("`{maker}` is for {modules:?} only"));
                }
            }
            for (first, second) in &code.paths {
                let used = if first == "crate" { second } else { first };
                let is_floor = if first == "crate" {
                    self.0.contains_key(used)
                } else {
                    WORKSPACE_CRATES.contains(&used.as_str())
                };
                if is_floor && used != module && !may_use.contains(used) {
                    faults.insert(format!("uses `{used}`, which `{module}` may not"));
                }
                let mut doors = self
                    .0
                    .iter()
                    .filter(|(_, (_, crates))| crates.contains(first))
                    .peekable();
                if doors.peek().is_some() && doors.all(|(owner, _)| owner != module) {
                    faults.insert(format!(
                        "names the crate `{first}`, which is not behind its door"
                    ));
                }
            }
            if climbs_out(&code.tokens, steps.len()) {
                faults.insert("climbs out of its floor with `super`: write `crate::`".to_owned());
            }
        }
        faults
            .into_iter()
            .map(|fault| format!("{}: {fault}", source.path))
            .collect()
    }
}

/// Where `#[cfg(test)] mod name;` keeps its code, without `.rs`.
fn test_files(source: &Source) -> Vec<String> {
    let stem = source.path.trim_end_matches(".rs");
    let home = ["/mod", "/lib", "/main"]
        .iter()
        .find_map(|last| stem.strip_suffix(last))
        .unwrap_or(stem);
    let modules = sources::code(&source.text).test_modules;
    modules
        .iter()
        .map(|module| format!("{home}/{module}"))
        .collect()
}

/// `super::super::…` with as many steps as the file lies deep ends at the crate's root.
fn climbs_out(tokens: &[String], depth: usize) -> bool {
    let mut run = 0;
    tokens.iter().any(|token| {
        match token.as_str() {
            "super" => run += 1,
            ":" => {}
            _ => run = 0,
        }
        run >= depth
    })
}

fn plan() -> Plan {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    Plan::from_markdown(&std::fs::read_to_string(page).unwrap())
}

#[test]
fn the_house_keeps_its_floor_plan() {
    let faults = plan().faults(&sources::below("src"));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_outside_the_house_is_too_long_either() {
    for directory in ["tests", "migration/src", "signing/src"] {
        for source in sources::below(directory) {
            let lines = source.text.lines().count();
            assert!(lines <= LONGEST, "{} has {lines} lines", source.path);
        }
    }
}

#[test]
fn the_plan_has_no_circle() {
    let plan = plan();
    let mut standing = BTreeSet::from(WORKSPACE_CRATES.map(str::to_owned));
    while let Some((module, _)) = plan
        .0
        .iter()
        .find(|(module, (may_use, _))| !standing.contains(*module) && may_use.is_subset(&standing))
    {
        standing.insert(module.clone());
    }
    let floating: Vec<_> = plan
        .0
        .keys()
        .filter(|module| !standing.contains(*module))
        .collect();
    assert!(
        plan.0.len() >= 10 && floating.is_empty(),
        "{floating:?} stand on nothing"
    );
}

#[track_caller]
fn judged(path: &str, text: &str, expected: &[&str]) {
    let source = Source {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let faults = plan().faults(&[source]);
    assert_eq!(faults.len(), expected.len(), "{text}: {faults:?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.contains(expected), "{text}: {fault}");
    }
}

#[test]
fn a_forbidden_edge_is_found_however_it_is_written() {
    for text in [
        "use crate::http::error;",
        "use crate::{domain::id::Id, http};",
        "use crate::{\n    domain::{self, id},\n    http::error::{A, B},\n};",
        "fn f() { crate::http::error::f() }",
        "fn f() { tracing::info!(x = crate::http::X, \"…\") }",
        "pub(in crate::http) fn f() {}",
        "impl From<crate::http::Error> for E {}",
        "#[cfg(test)] mod tests { use crate::app; }\nuse crate::http;",
    ] {
        judged("src/store/organization.rs", text, &["uses `http`"]);
    }
    judged(
        "src/domain/id.rs",
        "use signing::sign;",
        &["uses `signing`"],
    );
    judged(
        "src/http/ops.rs",
        "use super::super::cli::run;",
        &["with `super`"],
    );
    judged("src/attic/mod.rs", "", &["not in the floor plan"]);
}

#[test]
fn a_crate_outside_its_door_is_found_however_it_is_written() {
    for text in [
        "use sea_orm::EntityTrait;",
        "use ::sea_orm::EntityTrait;",
        "use sea_orm as db;",
        "#[derive(sea_orm::DeriveIden)] struct A;",
        "fn f(c: &sea_orm::DatabaseConnection) {}",
        "fn f<T: Into<::sea_orm::Value>>() {}",
    ] {
        judged(
            "src/http/machine/keys.rs",
            text,
            &["names the crate `sea_orm`"],
        );
    }
    judged(
        "src/authn/mod.rs",
        "use cedar_policy::Authorizer; use salvo::handler;",
        &["cedar", "salvo"],
    );
}

#[test]
fn what_is_allowed_is_not_faulted() {
    for text in [
        "// use crate::http;\n/* sea_orm::x */\n/// `crate::http` knows more\nfn f() -> &'static str { \"crate::http::x\" }",
        "#[cfg(test)]\nmod tests { use crate::http; use sea_orm::X; }",
        "#[cfg(test)]\n#[expect(dead_code, reason = \"x\")]\nfn f() { salvo::x() }",
        "use crate::authz::snapshot; use crate::domain::id; use super::index; use crate::authz;",
        "fn f() { self::config::x(); a.config; types::x() }",
        "use cedar_policy::PolicySet;",
    ] {
        judged("src/authz/decide.rs", text, &[]);
    }
    let declaring = Source {
        path: "src/authz/mod.rs".to_owned(),
        text: "#[cfg(test)]\nmod tests;".to_owned(),
    };
    let test = Source {
        path: "src/authz/tests.rs".to_owned(),
        text: "use salvo::x;".to_owned(),
    };
    assert!(plan().faults(&[declaring, test]).is_empty());
}

#[test]
fn a_scope_made_elsewhere_a_drawer_and_a_long_file_are_found() {
    let scope = "fn f() { caller::Scope::of_authenticated(id) }";
    judged(
        "src/http/authorized.rs",
        scope,
        &["`of_authenticated` is for"],
    );
    judged("src/authn/service_account.rs", scope, &[]);
    let scope = "fn f() { Scope::of_operator(id) }";
    judged("src/http/ops.rs", scope, &["`of_operator` is for"]);
    judged("src/authn/operator.rs", scope, &[]);
    judged("src/cli/key.rs", scope, &[]);
    judged("src/http/utils.rs", "", &["`utils` says nothing"]);
    judged(
        "src/http/mod.rs",
        "mod helpers { fn f() {} }",
        &["`helpers` says nothing"],
    );
    judged("src/http/mod.rs", &"\n".repeat(501), &["has 501 lines"]);
}
