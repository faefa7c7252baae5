//! Faults of a policy folder, rendered like compiler errors: file, line and caret.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use super::source::{Source, line_and_column};
use charter_domain::causes::with_causes;
use charter_domain::printable::for_terminal;

/// Longer lines are not shown.
const MAX_SHOWN_LINE_BYTES: usize = 400;
/// How many faults are written out; the rest are counted.
const MAX_WRITTEN: usize = 100;

/// One fault.
#[derive(Clone)]
pub struct FolderFault {
    message: String,
    help: Option<String>,
    source: Option<Source>,
    labels: Vec<LabeledSpan>,
}

impl FolderFault {
    /// Message and help, without the place, which takes a look through the source.
    pub(crate) fn words(&self) -> (String, Option<String>) {
        (self.message.clone(), self.help.clone())
    }

    /// A fault of the folder as a whole.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            source: None,
            labels: Vec::new(),
        }
    }

    /// The fault of a file that begins with a byte order mark, if it does.
    #[must_use]
    pub fn byte_order_mark(source: &Source) -> Option<Self> {
        source.inner().starts_with('\u{feff}').then(|| {
            Self::new("the file begins with a byte order mark")
                .help("save it as UTF-8 without one")
                .at(source, 0, '\u{feff}'.len_utf8())
        })
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds advice if the message contains this text and Cedar gave none.
    #[must_use]
    pub(super) fn help_if(self, (text, help): (&str, &str)) -> Self {
        if self.help.is_none() && self.message.contains(text) {
            return self.help(help);
        }
        self
    }

    /// Points at `length` bytes from `offset` in a file.
    #[must_use]
    pub fn at(mut self, source: &Source, offset: usize, length: usize) -> Self {
        self.source = Some(Arc::clone(source));
        self.labels = vec![LabeledSpan::underline((offset, length))];
        self
    }

    /// Moves the place; for a diagnostic of a text that begins `by` bytes into the file.
    #[must_use]
    pub(super) fn moved(mut self, by: usize) -> Self {
        for label in &mut self.labels {
            let span = (label.offset() + by, label.len());
            *label = LabeledSpan::new(label.label().map(ToOwned::to_owned), span.0, span.1);
        }
        self
    }

    /// Converts a diagnostic of Cedar with its related diagnostics.
    #[must_use]
    pub fn from_cedar(source: &Source, reported: &dyn Diagnostic) -> Vec<Self> {
        let fault = Self {
            // Cedar names the attribute or entity in the causes.
            message: with_causes(reported),
            help: reported.help().map(|help| help.to_string()),
            source: Some(Arc::clone(source)),
            labels: reported.labels().map(Iterator::collect).unwrap_or_default(),
        };
        let related = reported
            .related()
            .into_iter()
            .flatten()
            .flat_map(|related| Self::from_cedar(source, related));
        std::iter::once(fault).chain(related).collect()
    }
}

impl FolderFault {
    /// Drops the source if its lines are too long to be shown.
    fn printable(&self) -> Cow<'_, Self> {
        let Some((source, label)) = self.source.as_ref().zip(self.labels.first()) else {
            return Cow::Borrowed(self);
        };
        let end = label.offset().saturating_add(label.len());
        let Ok(shown) = source.read_span(&(label.offset(), end - label.offset()).into(), 1, 1)
        else {
            return Cow::Borrowed(self);
        };
        let longest = shown
            .data()
            .split(|&byte| byte == b'\n')
            .map(<[u8]>::len)
            .max();
        if longest.is_none_or(|length| length <= MAX_SHOWN_LINE_BYTES) {
            return Cow::Borrowed(self);
        }
        let (line, column) = line_and_column(source, label.offset());
        Cow::Owned(Self {
            message: format!("{}:{line}:{column}: {}", source.name(), self.message),
            help: self.help.clone(),
            source: None,
            labels: Vec::new(),
        })
    }
}

impl FolderFault {
    fn document(&self) -> serde_json::Value {
        let place = self.source.as_ref().zip(self.labels.first());
        let place = place.map(|(source, label)| {
            let (line, column) = line_and_column(source, label.offset());
            (source.name(), line, column)
        });
        serde_json::json!({
            "message": self.message,
            "help": self.help,
            "file": place.map(|(file, _, _)| file),
            "line": place.map(|(_, line, _)| line),
            "column": place.map(|(_, _, column)| column),
        })
    }
}

impl fmt::Display for FolderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for FolderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for FolderFault {}

impl Diagnostic for FolderFault {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source
            .as_deref()
            .map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

/// Why a policy folder cannot be used, with all faults that were found.
#[derive(Clone)]
pub struct LoadError {
    faults: Vec<FolderFault>,
}

impl LoadError {
    #[must_use]
    pub fn new(faults: Vec<FolderFault>) -> Self {
        Self { faults }
    }

    /// Replaces a path in the messages.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        for fault in &mut self.faults {
            fault.message = fault.message.replace(from, to);
            fault.help = fault.help.take().map(|help| help.replace(from, to));
        }
        self
    }

    /// The first faults as JSON, each with its file, line and column, and the number of all faults.
    #[must_use]
    pub fn document(&self) -> serde_json::Value {
        let faults = self.faults.iter().take(MAX_WRITTEN);
        serde_json::json!({
            "faults": faults.map(FolderFault::document).collect::<Vec<_>>(),
            "count": self.faults.len(),
        })
    }

    /// In the order of the files.
    #[must_use]
    pub fn faults(&self) -> &[FolderFault] {
        &self.faults
    }

    /// The whole report as plain text.
    #[must_use]
    pub fn report(&self) -> String {
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
            .with_wrap_lines(false)
            .with_links(false)
            .without_cause_chain();
        let mut report = String::new();
        let written = self.faults.iter().take(MAX_WRITTEN);
        for fault in written.map(FolderFault::printable) {
            if !report.is_empty() {
                report.push('\n');
            }
            if handler.render_report(&mut report, fault.as_ref()).is_err() {
                report.push_str(&fault.message);
            }
        }
        let more = self.faults.len().saturating_sub(MAX_WRITTEN);
        if more > 0 {
            let faults = if more == 1 { "fault" } else { "faults" };
            // Writing to a string cannot fail.
            let _ = writeln!(report, "\n… and {more} more {faults}");
        }
        for_terminal(&report).into_owned()
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report())
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for LoadError {}
