//! Checks the layers of ARCHITECTURE.md beyond what the compiler does: which crates may use which, which crate owns a
//! library, how long a file and its lines of prose may be, and what it may be called.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::sources::{self, Source};

const MAX_LINES: usize = 400;
/// Of lines of prose, in characters.
const MAX_WIDTH: usize = 120;
const VAGUE_NAMES: [&str; 4] = ["utils", "common", "helpers", "types"];
/// Folders of the root package, and the modules above each, which it may not name.
const ABOVE: [(&str, &[&str]); 3] = [
    ("src/settings/", &["app", "cli", "telemetry"]),
    ("src/telemetry/", &["app", "cli"]),
    ("src/app/", &["cli"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The crates that each crate may use, and the libraries that it owns.
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
                let name = names(cells[1]).into_iter().next().expect("a crate");
                (name, (names(cells[3]), names(cells[4])))
            });
        Self(rows.collect())
    }

    /// What is wrong with the dependencies of the crate.
    fn faults(&self, name: &str, dependencies: &BTreeSet<String>) -> Vec<String> {
        let Some((may_use, _)) = self.0.get(name) else {
            return vec![format!("`{name}` is not in ARCHITECTURE.md")];
        };
        let mut faults = Vec::new();
        for used in dependencies {
            let used = used.trim_start_matches("charter-");
            if self.0.contains_key(used) && !may_use.contains(used) {
                faults.push(format!("`{name}` uses `{used}`, which it may not"));
            }
            let owners = self.0.iter().filter(|(_, (_, owned))| owned.contains(used));
            let owners: Vec<&String> = owners.map(|(owner, _)| owner).collect();
            if !owners.is_empty() && !owners.iter().any(|owner| *owner == name) {
                faults.push(format!(
                    "`{name}` uses `{used}`, which is owned by {owners:?}"
                ));
            }
        }
        faults
    }
}

fn plan() -> Plan {
    Plan::from_markdown(&std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap())
}

/// Each crate of the workspace with the names of its dependencies, without those of its tests.
fn manifests() -> BTreeMap<String, BTreeSet<String>> {
    let crates = std::fs::read_dir(root().join("crates")).unwrap();
    let mut folders: Vec<PathBuf> = crates.map(|entry| entry.unwrap().path()).collect();
    folders.extend(["", "migration", "signing"].map(|folder| root().join(folder)));
    folders
        .iter()
        .map(|folder| {
            let text = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
            let manifest: toml::Table = text.parse().expect("a manifest");
            let name = manifest["package"]["name"].as_str().expect("a name");
            let dependencies = manifest
                .get("dependencies")
                .and_then(toml::Value::as_table)
                .map(|table| table.keys().cloned().collect());
            (
                name.trim_start_matches("charter-").to_owned(),
                dependencies.unwrap_or_default(),
            )
        })
        .collect()
}

fn faults_of(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = source.text.lines().count();
    if lines > MAX_LINES {
        faults.push(format!("has {lines} lines, {MAX_LINES} are allowed"));
    }
    let code = sources::code(&source.text);
    let declared = code.tokens.windows(2).filter(|pair| pair[0] == "mod");
    let steps = source.path.trim_end_matches(".rs").split('/');
    for vague in steps
        .chain(declared.map(|pair| pair[1].as_str()))
        .filter(|name| VAGUE_NAMES.contains(name))
    {
        faults.push(format!(
            "`{vague}` says nothing: name the module after what it answers for"
        ));
    }
    for (below, above) in ABOVE {
        for (first, second) in &code.paths {
            let climbs = first == "crate" && above.contains(&second.as_str());
            if climbs && source.path.starts_with(below) {
                faults.push(format!("uses `{second}`, which {below} may not"));
            }
        }
    }
    faults
        .into_iter()
        .map(|fault| format!("{}: {fault}", source.path))
        .collect()
}

/// The numbers of the lines of prose that are too long: of Markdown what is neither a table nor code, of other files
/// the comments, which begin with `comment`.
fn long_lines(text: &str, comment: Option<&str>) -> Vec<usize> {
    let mut is_code = false;
    let numbered = text.lines().zip(1..);
    numbered
        .filter(|(line, _)| {
            let start = line.trim_start();
            let is_fence = start.starts_with("```");
            is_code ^= is_fence;
            let is_prose = match comment {
                Some(comment) => start.starts_with(comment),
                None => !(is_code || is_fence || start.starts_with('|')),
            };
            is_prose && line.chars().count() > MAX_WIDTH
        })
        .map(|(_, number)| number)
        .collect()
}

/// Where prose is: the repository without hidden and built folders.
fn files_with_prose() -> Vec<PathBuf> {
    let mut open = vec![root().to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            if name.starts_with('.') || ["target", "node_modules"].contains(&name) {
                continue;
            }
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => open.push(entry.path()),
                kind if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files
}

#[test]
fn lines_of_prose_have_at_most_120_characters() {
    let mut faults = Vec::new();
    for file in files_with_prose() {
        let comment = match file.extension().and_then(|extension| extension.to_str()) {
            Some("md") => None,
            Some("rs" | "cedar") => Some("//"),
            Some("toml") => Some("#"),
            _ => continue,
        };
        let text = std::fs::read_to_string(&file).unwrap();
        for number in long_lines(&text, comment) {
            faults.push(format!("{}:{number}", file.display()));
        }
    }
    faults.sort_unstable();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_long_line_of_prose_is_found_and_one_of_code_or_a_table_is_not() {
    let (long, most) = ("ä".repeat(MAX_WIDTH + 1), "ä".repeat(MAX_WIDTH));
    let text = format!("{most}\n{long}\n```\n{long}\n```\n{long}\n| {long} |\n");
    assert_eq!(long_lines(&text, None), [2, 6]);
    let text = format!("// {long}\n    /// {long}\nlet x = \"{long}\";\n// short\n");
    assert_eq!(long_lines(&text, Some("//")), [1, 2]);
    assert_eq!(
        long_lines(&format!("# {long}\nx = '{long}'"), Some("#")),
        [1]
    );
}

#[test]
fn crates_use_only_the_layers_below_them() {
    let plan = plan();
    let manifests = manifests();
    let faults: Vec<String> = manifests
        .iter()
        .flat_map(|(name, dependencies)| plan.faults(name, dependencies))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(
        plan.0.keys().collect::<Vec<_>>(),
        manifests.keys().collect::<Vec<_>>(),
        "the table in ARCHITECTURE.md has a row for each crate"
    );
}

#[test]
fn every_file_keeps_its_layer_its_length_and_a_telling_name() {
    let code = ["src", "crates", "migration/src", "signing/src"];
    let faults: Vec<String> = code
        .iter()
        .flat_map(|folder| sources::below(folder))
        .flat_map(|source| faults_of(&source))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for source in sources::below("tests") {
        let lines = source.text.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", source.path);
    }
}

#[test]
fn a_dependency_upwards_and_a_library_of_another_crate_are_found() {
    let judged = |name: &str, used: &[&str]| {
        plan().faults(name, &used.iter().map(|used| (*used).to_owned()).collect())
    };
    assert!(judged("authz", &["charter-domain", "serde", "cedar-policy"]).is_empty());
    for (name, used, expected) in [
        ("domain", "charter-store", "may not"),
        ("store", "charter-http", "may not"),
        ("domain", "signing", "may not"),
        ("http", "sea-orm", "owned by"),
        ("authn", "cedar-policy", "owned by"),
        ("attic", "serde", "not in ARCHITECTURE.md"),
    ] {
        let faults = judged(name, &[used]);
        assert_eq!(faults.len(), 1, "{name} {used}: {faults:?}");
        assert!(faults[0].contains(expected), "{name} {used}: {faults:?}");
    }
}

#[test]
fn a_vague_name_a_path_upwards_and_a_long_file_are_found() {
    let judged = |path: &str, text: &str| {
        faults_of(&Source {
            path: path.to_owned(),
            text: text.to_owned(),
        })
    };
    for (path, text) in [
        ("crates/http/src/utils.rs", ""),
        ("crates/http/src/x.rs", "mod helpers { fn f() {} }"),
        ("crates/http/src/x.rs", &"\n".repeat(MAX_LINES + 1)),
        ("src/settings/x.rs", "use crate::app::App;"),
        ("src/app/x.rs", "use crate::{telemetry, cli::run};"),
    ] {
        assert_eq!(judged(path, text).len(), 1, "{path}: {text:.40}");
    }
    for (path, text) in [
        ("src/app/x.rs", "// crate::cli\nuse crate::settings::X;"),
        (
            "src/settings/x.rs",
            "#[cfg(test)] mod tests { use crate::cli; }",
        ),
    ] {
        assert!(judged(path, text).is_empty(), "{path}: {text}");
    }
}
