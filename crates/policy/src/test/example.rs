//! Examples in the format of the Cedar CLI's `run-tests`, each with its line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use cedar_policy::{Entities, Request, Schema};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::request_json::{self, EntityFiles, RequestJson, json_fault};
use charter_authz::fault::FolderFault;
use charter_authz::source::Source;
use charter_domain::similar::is_like;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ExpectedDecision {
    Allow,
    Deny,
}

impl fmt::Display for ExpectedDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `request`, `entities`, `decision`, `reason` and `num_errors`")]
struct ExampleJson<'a> {
    name: Option<String>,
    #[serde(borrow)]
    request: RequestJson<'a>,
    #[serde(borrow)]
    entities: &'a RawValue,
    decision: ExpectedDecision,
    /// An extension; the Cedar CLI ignores unknown members.
    code: Option<String>,
    reason: Vec<String>,
    num_errors: usize,
}

const MEMBERS: [&str; 7] = [
    "name",
    "request",
    "entities",
    "decision",
    "code",
    "reason",
    "num_errors",
];
const HELP: &str = "an example has `name`, `request` (`principal`, `action`, `resource`, `context`), \
                    `entities`, `decision`, `reason` and `num_errors`, and may have `code`";

pub(super) struct Example<'a> {
    pub(super) name: String,
    /// Line on which it begins, from 1.
    pub(super) line: usize,
    request: RequestJson<'a>,
    entities: &'a RawValue,
    pub(super) decision: ExpectedDecision,
    /// The expected error code of a refusal.
    pub(super) code: Option<String>,
    pub(super) reason: Vec<String>,
    pub(super) num_errors: usize,
}

impl Example<'_> {
    pub(super) fn to_cedar(
        &self,
        schema: &Schema,
        files: &EntityFiles<'_>,
    ) -> Result<(Request, Entities), String> {
        request_json::to_cedar(&self.request, self.entities, schema, files)
    }
}

pub(super) struct ExampleFile<'a> {
    pub(super) name: String,
    pub(super) cases: Vec<Example<'a>>,
}

/// The examples of a folder.
pub(super) struct Examples<'a> {
    pub(super) files: Vec<ExampleFile<'a>>,
    /// Files that hold entities for examples.
    pub(super) entity_files: EntityFiles<'a>,
}

/// Reads all files. One that an example names as its entities may hold no examples.
pub(super) fn read(sources: &[Source]) -> Result<Examples<'_>, Vec<FolderFault>> {
    let mut read = Vec::new();
    // The first example that names each.
    let mut named = BTreeMap::new();
    for source in sources {
        let (cases, faults) = read_file(source);
        for case in &cases {
            if let Some(name) = request_json::named_file(case.entities) {
                named.entry(name).or_insert((source, case.entities));
            }
        }
        read.push((source, cases, faults));
    }
    let mut tests = Examples {
        files: Vec::new(),
        entity_files: EntityFiles::new(),
    };
    let mut faults = Vec::new();
    for (source, cases, more) in read {
        let name = file_name(source);
        match named.get(name) {
            None => {
                faults.extend(more);
                tests.files.push(ExampleFile {
                    name: name.to_owned(),
                    cases,
                });
            }
            Some((by, entities)) if !cases.is_empty() => {
                let fault = FolderFault::new(format!("`{name}` holds examples, not entities"));
                let fault = fault.help("put the entities into a file of their own");
                let written = entities.get();
                faults.push(fault.at(by, offset(by.inner(), written), written.len()));
            }
            Some(_) => {
                tests.entity_files.insert(name, source.inner());
            }
        }
    }
    if faults.is_empty() {
        Ok(tests)
    } else {
        Err(faults)
    }
}

/// The examples that can be read, and the faults of the others.
fn read_file(source: &Source) -> (Vec<Example<'_>>, Vec<FolderFault>) {
    let text: &str = source.inner();
    let mut cases = Vec::new();
    let mut faults = Vec::new();
    let written: Vec<&RawValue> = match serde_json::from_str(text) {
        Ok(written) => written,
        Err(error) => return (cases, vec![json_fault(source, 0, &error, HELP)]),
    };
    let mut seen = 0;
    let mut line = 1;
    for raw in written {
        let begin = offset(text, raw.get());
        line += text
            .get(seen..begin)
            .map_or(0, |between| between.matches('\n').count());
        seen = begin;
        faults.extend(misspelt(source, raw));
        match serde_json::from_str::<ExampleJson<'_>>(raw.get()) {
            Ok(written) => cases.push(Example {
                name: written.name.unwrap_or_else(|| "(unnamed)".to_owned()),
                line,
                request: written.request,
                entities: written.entities,
                decision: written.decision,
                code: written.code,
                reason: written.reason,
                num_errors: written.num_errors,
            }),
            Err(error) => faults.push(json_fault(source, begin, &error, HELP)),
        }
    }
    (cases, faults)
}

/// Members that are like one that an example may have: what they say would go untested.
fn misspelt(source: &Source, example: &RawValue) -> Vec<FolderFault> {
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_str(example.get()).unwrap_or_default();
    let slip = |(found, value): (&String, &&RawValue)| {
        let meant = MEMBERS.into_iter().find(|name| is_like(found, name));
        let meant = meant.filter(|_| !MEMBERS.contains(&found.as_str()))?;
        let at = offset(source.inner(), value.get());
        let fault = FolderFault::new(format!("an example has no member `{found}`"));
        let help = format!("it may be meant for `{meant}`; comments may have any other name");
        Some(fault.help(help).at(source, at, value.get().len()))
    };
    members.iter().filter_map(slip).collect()
}

/// Where in a text a part of it begins: Serde borrows from the text itself.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

fn file_name(source: &Source) -> &str {
    Path::new(source.name())
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}
