//! Examples in the format of the Cedar CLI's `run-tests`, each with its line.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use cedar_policy::{Entities, Request, Schema};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::request_json::{self, EntityFiles, RequestJson, json_fault};
use charter_authz::fault::FolderFault;
use charter_authz::source::Source;

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

/// Reads all files. A file that an example names as its entities holds no examples.
pub(super) fn read(sources: &[Source]) -> Result<Examples<'_>, Vec<FolderFault>> {
    let mut read = Vec::new();
    let mut named = BTreeSet::new();
    for source in sources {
        let cases = read_file(source);
        let cases_or_none = cases.as_deref().unwrap_or_default();
        named.extend(
            cases_or_none
                .iter()
                .filter_map(|case| request_json::named_file(case.entities)),
        );
        read.push((source, cases));
    }
    let mut tests = Examples {
        files: Vec::new(),
        entity_files: EntityFiles::new(),
    };
    let mut faults = Vec::new();
    for (source, cases) in read {
        let name = file_name(source);
        if named.contains(name) {
            tests.entity_files.insert(name, source.inner());
            continue;
        }
        match cases {
            Ok(cases) => tests.files.push(ExampleFile {
                name: name.to_owned(),
                cases,
            }),
            Err(more) => faults.extend(more),
        }
    }
    if faults.is_empty() {
        Ok(tests)
    } else {
        Err(faults)
    }
}

fn read_file(source: &Source) -> Result<Vec<Example<'_>>, Vec<FolderFault>> {
    let text: &str = source.inner();
    let written: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| vec![json_fault(source, 0, &error)])?;
    let mut cases = Vec::new();
    let mut faults = Vec::new();
    let mut seen = 0;
    let mut line = 1;
    for raw in written {
        // Serde borrows parts of the text itself, in order.
        let begin = raw.get().as_ptr().addr() - text.as_ptr().addr();
        line += text
            .get(seen..begin)
            .map_or(0, |between| between.matches('\n').count());
        seen = begin;
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
            Err(error) => faults.push(json_fault(source, begin, &error).help(
                "an example has `name`, `request` (`principal`, `action`, `resource`, `context`), \
                 `entities`, `decision`, `reason` and `num_errors`, and may have `code`",
            )),
        }
    }
    if faults.is_empty() {
        Ok(cases)
    } else {
        Err(faults)
    }
}

fn file_name(source: &Source) -> &str {
    Path::new(source.name())
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}
