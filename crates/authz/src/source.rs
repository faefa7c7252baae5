//! A policy file's text with its name, and locations within it.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use cedar_policy::Policy;
use miette::NamedSource;

/// A file's text, under the name that reports use.
pub type Source = Arc<NamedSource<Arc<str>>>;

/// Location of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLocation {
    /// File name within the policy folder.
    pub file: String,
    /// Line of its first annotation, from 1.
    pub line: usize,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

pub(super) fn file_name(source: &Source) -> Cow<'_, str> {
    Path::new(source.name())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
}

/// Offset and length of the line to underline.
pub(super) fn first_line(source: &Source, start: Option<usize>) -> (usize, usize) {
    let start = start.unwrap_or(0);
    let length = source
        .inner()
        .get(start..)
        .and_then(|rest| rest.lines().next())
        .map_or(0, str::len);
    (start, length)
}

/// Offset and length of a policy's annotation.
pub(super) fn annotation(policy: &Policy, name: &str) -> Option<(usize, usize)> {
    let mut annotations = policy.as_ref().annotations();
    let (_, annotation) = annotations.find(|(found, _)| found.as_ref() == name)?;
    let span = annotation.loc.as_ref()?.span;
    Some((span.offset(), span.len()))
}

/// Both from 1.
pub(super) fn line_and_column(source: &Source, offset: usize) -> (usize, usize) {
    let before = source.inner().get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |text| text.chars().count())
        + 1;
    (line, column)
}
