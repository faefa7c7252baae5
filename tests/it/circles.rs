//! No file imports itself by way of others. A `mod.rs` or `lib.rs` that re-exports its children is
//! a table of contents and does not count.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{self, Source};

/// A file's module path within its crate.
type Module = Vec<String>;

/// A path that a file names, and whether it hands it on with `pub use`.
#[derive(Debug, PartialEq)]
struct Named {
    path: Vec<String>,
    is_handed_on: bool,
}

struct File {
    names: Vec<Named>,
    /// A `mod.rs` or `lib.rs`.
    is_face: bool,
}

/// The files of one crate.
#[derive(Default)]
struct Crate(BTreeMap<Module, File>);

/// Aliases that lead to aliases; more is a mistake of this test.
const MOST_STEPS: usize = 8;

impl Crate {
    fn of(folder: &str, sources: &[Source]) -> Self {
        let mut files = BTreeMap::new();
        let mut tests = BTreeSet::new();
        for source in sources {
            let module = module(&source.path[folder.len()..]);
            let code = sources::code(&source.text);
            for test in &code.test_modules {
                let mut path = module.clone();
                path.push(test.clone());
                tests.insert(path);
            }
            let file = File {
                names: named(&code.tokens),
                is_face: ["mod.rs", "lib.rs"]
                    .iter()
                    .any(|name| source.path.ends_with(name)),
            };
            files.insert(module, file);
        }
        files.retain(|module: &Module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self(files)
    }

    /// The file in which a path ends that is named in another.
    fn resolve(&self, within: &Module, path: &[String], steps: usize) -> Option<Module> {
        let (first, mut rest) = path.split_first()?;
        if steps > MOST_STEPS {
            return None;
        }
        let mut at = within.clone();
        match first.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop();
                while rest.first().is_some_and(|step| step == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            name => {
                let mut child = at.clone();
                child.push(name.to_owned());
                if self.0.contains_key(&child) {
                    rest = path;
                } else {
                    let names = &self.0.get(within)?.names;
                    let alias = names.iter().find(|other| {
                        other.path.len() > 1
                            && other.path.last() == Some(first)
                            && other.path != path
                    })?;
                    at = self.resolve(within, &alias.path, steps + 1)?;
                }
            }
        }
        while let Some((step, further)) = rest.split_first() {
            at.push(step.clone());
            if !self.0.contains_key(&at) {
                at.pop();
                break;
            }
            rest = further;
        }
        let file = self.0.get(&at)?;
        // What a face only hands on is its child's.
        let handed_on = rest.first().and_then(|name| {
            let mut names = file.names.iter();
            names.find(|other| {
                other.is_handed_on && other.path.last() == Some(name) && other.path != rest
            })
        });
        handed_on
            .and_then(|other| self.resolve(&at, &other.path, steps + 1))
            .or(Some(at))
    }

    fn edges(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let edges = self.0.iter().map(|(module, file)| {
            let used = file.names.iter().filter_map(|named| {
                let used = self.resolve(module, &named.path, 0)?;
                let is_own = file.is_face && named.is_handed_on && used.starts_with(module);
                (used != *module && !is_own).then_some(used)
            });
            (module, used.collect())
        });
        edges.collect()
    }

    /// Each file of a circle with those of the circle that it names.
    fn circles(&self) -> Vec<String> {
        let edges = self.edges();
        let reached = |from: &Module| {
            let mut seen = BTreeSet::new();
            let mut next = vec![from];
            while let Some(module) = next.pop() {
                for used in edges.get(module).into_iter().flatten() {
                    if seen.insert(used) {
                        next.push(used);
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<&Module, _> =
            edges.keys().map(|from| (*from, reached(from))).collect();
        let mut faults = Vec::new();
        for (module, used) in &edges {
            let back: Vec<String> = used
                .iter()
                .filter(|used| reached[*used].contains(module))
                .map(name)
                .collect();
            if !back.is_empty() {
                faults.push(format!("{} <-> {}", name(module), back.join(", ")));
            }
        }
        faults
    }
}

fn name(module: &Module) -> String {
    if module.is_empty() {
        "the crate's root".to_owned()
    } else {
        module.join("::")
    }
}

fn module(path: &str) -> Module {
    let steps = path
        .trim_start_matches('/')
        .trim_end_matches(".rs")
        .split('/');
    let mut module: Module = steps.map(str::to_owned).collect();
    if matches!(
        module.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        module.pop();
    }
    module
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Every path in a file's tokens: those of `use`, each member by itself, and those in between.
fn named(tokens: &[String]) -> Vec<Named> {
    let at = |index: usize| tokens.get(index).map_or("", String::as_str);
    let mut found = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        if at(index) == "use" {
            // `pub use` and `pub(super) use`.
            let before = index.checked_sub(1).map_or("", at);
            let is_handed_on = matches!(before, "pub" | ")");
            let end = index
                + tokens[index..]
                    .iter()
                    .position(|token| token == ";")
                    .unwrap_or(0);
            let mut paths = Vec::new();
            members(&tokens[index + 1..end.max(index + 1)], &[], &mut paths);
            found.extend(paths.into_iter().map(|path| Named { path, is_handed_on }));
            index = end.max(index + 1);
            continue;
        }
        let starts = is_name(at(index)) && index.checked_sub(1).map_or("", at) != ":";
        if !starts {
            index += 1;
            continue;
        }
        let mut path = vec![at(index).to_owned()];
        while at(index + 1) == ":" && at(index + 2) == ":" && is_name(at(index + 3)) {
            path.push(at(index + 3).to_owned());
            index += 3;
        }
        if path.len() > 1 {
            found.push(Named {
                path,
                is_handed_on: false,
            });
        }
        index += 1;
    }
    found
}

/// `a::{b, c::{self, d as e}}` as `a::b`, `a::c`, `a::c::d`.
fn members(tokens: &[String], before: &[String], found: &mut Vec<Vec<String>>) {
    let mut path = before.to_vec();
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        match token.as_str() {
            ":" => {}
            "as" => break,
            "{" => {
                let inner = &tokens[index + 1..tokens.len().saturating_sub(1)];
                let mut depth = 0;
                for member in inner.split(|token| {
                    match token.as_str() {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    depth == 0 && token == ","
                }) {
                    if !member.is_empty() {
                        members(member, &path, found);
                    }
                }
                return;
            }
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
        index += 1;
    }
    found.push(path);
}

#[test]
fn no_file_imports_itself_by_way_of_others() {
    let crates = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/crates")).unwrap();
    let names = crates.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let folders = names.map(|name| format!("crates/{name}/src"));
    let others = ["src", "migration/src", "signing/src"].map(str::to_owned);
    let faults: Vec<String> = folders
        .chain(others)
        .flat_map(|folder| {
            let circles = Crate::of(&folder, &sources::below(&folder)).circles();
            circles
                .into_iter()
                .map(move |circle| format!("{folder}: {circle}"))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn judged(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source {
            path: format!("src/{path}"),
            text: (*text).to_owned(),
        })
        .collect();
    Crate::of("src", &sources).circles()
}

#[test]
fn a_circle_is_found_however_it_is_tied() {
    for (one, other) in [
        ("use super::b::B;", "use super::a::A;"),
        ("use crate::b::B;", "fn f() { crate::a::f() }"),
        (
            "use super::{b::{self, B}, c};",
            "use super::a; fn f() { a::f() }",
        ),
        ("use super::B;", "use crate::{a};"),
    ] {
        let files = [
            ("lib.rs", "mod a; mod b; mod c; pub use b::B;"),
            ("a.rs", one),
            ("b.rs", other),
            ("c.rs", ""),
        ];
        let found = judged(&files);
        assert_eq!(found, ["a <-> b", "b <-> a"], "{one} {other}");
    }
    let through_the_root = [
        ("lib.rs", "mod a; struct X; fn f() { a::f() }"),
        ("a.rs", "use super::X;"),
    ];
    assert_eq!(judged(&through_the_root).len(), 2);
}

#[test]
fn a_face_and_tests_tie_nothing() {
    let files = [
        (
            "lib.rs",
            "mod a; mod b; pub use a::A; pub use b::{B, f as g};",
        ),
        (
            "a.rs",
            "use crate::B;\n#[cfg(test)] mod tests { use crate::c::C; }",
        ),
        ("b.rs", "#[cfg(test)] mod tests;"),
        ("b/tests.rs", "use crate::A; use super::*;"),
        ("c.rs", "use super::a::A; use ::b::a; use std::a::X;"),
    ];
    assert!(judged(&files).is_empty(), "{:?}", judged(&files));
}
