//! Examples in the form of the Cedar CLI's `run-tests`, read so that each knows its line.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use cedar_policy::{Entities, Request, Schema};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::written_request::{self, EntityFiles, WrittenRequest, malformed};
use charter_authz::fault::Fault;
use charter_authz::source::Source;

/// An expected decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Decision {
    Allow,
    Deny,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}

#[derive(Deserialize)]
struct Written<'a> {
    name: Option<String>,
    #[serde(borrow)]
    request: WrittenRequest<'a>,
    #[serde(borrow)]
    entities: &'a RawValue,
    decision: Decision,
    /// Not the Cedar CLI's, which ignores members that it does not know.
    code: Option<String>,
    reason: Vec<String>,
    num_errors: usize,
}

/// One example.
pub(super) struct Case<'a> {
    pub(super) name: String,
    /// Where it begins in its file, from 1.
    pub(super) line: usize,
    request: WrittenRequest<'a>,
    entities: &'a RawValue,
    pub(super) decision: Decision,
    /// The error's code that a refused client is told.
    pub(super) code: Option<String>,
    pub(super) reason: Vec<String>,
    pub(super) num_errors: usize,
}

impl Case<'_> {
    pub(super) fn to_cedar(
        &self,
        schema: &Schema,
        files: &EntityFiles<'_>,
    ) -> Result<(Request, Entities), String> {
        written_request::to_cedar(&self.request, self.entities, schema, files)
    }
}

/// One file's examples.
pub(super) struct TestFile<'a> {
    pub(super) name: String,
    pub(super) cases: Vec<Case<'a>>,
}

/// All examples of a folder.
pub(super) struct Tests<'a> {
    pub(super) files: Vec<TestFile<'a>>,
    /// Files that hold no examples, but entities for them.
    pub(super) entity_files: EntityFiles<'a>,
}

/// Reads all files. One that another names as its entities is no file of examples.
pub(super) fn read(sources: &[Source]) -> Result<Tests<'_>, Vec<Fault>> {
    let mut read = Vec::new();
    let mut named = BTreeSet::new();
    for source in sources {
        let cases = read_file(source);
        let cases_or_none = cases.as_deref().unwrap_or_default();
        named.extend(
            cases_or_none
                .iter()
                .filter_map(|case| written_request::named_file(case.entities)),
        );
        read.push((source, cases));
    }
    let mut tests = Tests {
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
            Ok(cases) => tests.files.push(TestFile {
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

fn read_file(source: &Source) -> Result<Vec<Case<'_>>, Vec<Fault>> {
    let text: &str = source.inner();
    let written: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| vec![malformed(source, 0, &error)])?;
    let mut cases = Vec::new();
    let mut faults = Vec::new();
    let mut seen = 0;
    let mut line = 1;
    for raw in written {
        // Serde hands out parts of the text itself, in their order.
        let begin = raw.get().as_ptr().addr() - text.as_ptr().addr();
        line += text
            .get(seen..begin)
            .map_or(0, |between| between.matches('\n').count());
        seen = begin;
        match serde_json::from_str::<Written<'_>>(raw.get()) {
            Ok(written) => cases.push(Case {
                name: written.name.unwrap_or_else(|| "(unnamed)".to_owned()),
                line,
                request: written.request,
                entities: written.entities,
                decision: written.decision,
                code: written.code,
                reason: written.reason,
                num_errors: written.num_errors,
            }),
            Err(error) => faults.push(malformed(source, begin, &error).help(
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
