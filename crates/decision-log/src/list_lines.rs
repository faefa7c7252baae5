//! The fields of decision lines that lists show, with the cases that they refer to.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;
use serde::Deserialize;

use super::file_index::find_line_in;
use charter_authz::json::Uid;
use charter_domain::id::DecisionId;

pub(super) struct DecisionLine {
    pub(super) id: DecisionId,
    pub(super) request_id: String,
    case: CaseOfLine,
}

enum CaseOfLine {
    Defined(u32),
    /// In format version 1 each line is complete.
    Whole(Arc<Case>),
}

/// The fields of a case that lists show.
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    #[serde(default)]
    pub(super) via: Option<String>,
    #[serde(default)]
    pub(super) domain: Option<String>,
    #[serde(default)]
    pub(super) organization: Option<String>,
    pub(super) principal: Uid,
    pub(super) action: Uid,
    pub(super) decision: String,
}

#[derive(Deserialize)]
struct LineStart<'a> {
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    request_id: Option<Cow<'a, str>>,
    #[serde(default)]
    case: Option<u32>,
}

#[derive(Deserialize)]
struct CaseLine {
    number: u32,
    #[serde(flatten)]
    case: Case,
}

/// The cases of a file that were read so far; `None` for one that is missing.
#[derive(Default)]
pub(super) struct Cases(HashMap<u32, Option<Arc<Case>>>);

impl DecisionLine {
    /// `None` for other lines and unreadable ones, which `verify` reports.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let head: LineStart<'_> = serde_json::from_slice(text).ok()?;
        let case = match head.kind.as_deref() {
            None => CaseOfLine::Defined(head.case?),
            Some("decision") => CaseOfLine::Whole(Arc::new(serde_json::from_slice(text).ok()?)),
            Some(_) => return None,
        };
        Some(Self {
            id: head.id?.parse().ok()?,
            request_id: head.request_id?.into_owned(),
            case,
        })
    }
}

impl Cases {
    /// The case of a line; `None` if it is missing. All cases of the range that `find` names are read with it, and
    /// counted as `read`.
    pub(super) fn of(
        &mut self,
        line: &DecisionLine,
        open: &mut File,
        find: impl FnOnce(u32) -> Option<Range<u64>>,
        read: &mut u64,
    ) -> io::Result<Option<Arc<Case>>> {
        let number = match &line.case {
            CaseOfLine::Whole(case) => return Ok(Some(Arc::clone(case))),
            CaseOfLine::Defined(number) => *number,
        };
        if !self.0.contains_key(&number) {
            if let Some(range) = find(number) {
                *read += range.end - range.start;
                find_line_in(open, range, |_, text| {
                    self.define(text);
                    None::<()>
                })?;
            }
            self.0.entry(number).or_insert(None);
        }
        Ok(self.0.get(&number).cloned().flatten())
    }

    fn define(&mut self, text: &[u8]) {
        let start = text.get(..128).unwrap_or(text);
        if memmem::find(start, b"\"kind\":\"case\"").is_some()
            && let Ok(CaseLine { number, case }) = serde_json::from_slice(text)
        {
            self.0.insert(number, Some(Arc::new(case)));
        }
    }
}
