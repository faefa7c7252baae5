//! What is wrong with a policy folder, shown the way compilers do: file, line and caret.

use std::fmt;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};

/// A file's text under the name that people know it by.
pub type Source = Arc<NamedSource<Arc<str>>>;

/// One thing that is wrong.
#[derive(Clone)]
pub struct Fault {
    message: String,
    help: Option<String>,
    source: Option<Source>,
    labels: Vec<LabeledSpan>,
}

impl Fault {
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

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Points at `length` bytes from `offset` in a file.
    #[must_use]
    pub fn at(mut self, source: &Source, offset: usize, length: usize) -> Self {
        self.source = Some(Arc::clone(source));
        self.labels = vec![LabeledSpan::underline((offset, length))];
        self
    }

    /// Takes over what Cedar reports about a file, and all that it relates to it.
    #[must_use]
    pub fn from_cedar(source: &Source, reported: &dyn Diagnostic) -> Vec<Self> {
        let mut message = reported.to_string();
        // The cause is where Cedar says which attribute or which entity it means.
        let mut cause = reported.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        let fault = Self {
            message,
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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Fault {}

impl Diagnostic for Fault {
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

/// Why a policy folder cannot be used: every fault that was found, not only the first.
#[derive(Clone)]
pub struct LoadError {
    faults: Vec<Fault>,
}

impl LoadError {
    /// An error with at least one fault.
    #[must_use]
    pub fn new(faults: Vec<Fault>) -> Self {
        Self { faults }
    }

    /// The faults, in the order of the files.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The whole report, in plain text, for a terminal or a log.
    #[must_use]
    pub fn report(&self) -> String {
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
            .with_width(100)
            .with_links(false)
            .without_cause_chain();
        let mut report = String::new();
        for fault in &self.faults {
            if !report.is_empty() {
                report.push('\n');
            }
            if handler.render_report(&mut report, fault).is_err() {
                report.push_str(&fault.message);
            }
        }
        report
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
