//! The result of checking one part of a start.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::StartError;

#[derive(Debug, Serialize)]
pub struct CheckedPart {
    pub name: &'static str,
    /// Whether a start would succeed as far as this part is concerned.
    pub ok: bool,
    pub facts: Map<String, Value>,
    /// Hints that do not prevent a start.
    pub notes: Vec<String>,
    /// What a start does not fail on, and requests will.
    pub findings: Vec<String>,
    /// Errors that prevent a start, in the words of `serve`.
    pub faults: Vec<String>,
}

impl CheckedPart {
    /// A part without facts.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            ok: true,
            facts: Map::new(),
            notes: Vec::new(),
            findings: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub fn fault(&mut self, fault: &dyn std::error::Error) {
        self.ok = false;
        self.faults.push(fault.to_string());
    }

    /// The value, or `None` with the error added to the faults.
    pub(super) fn take<T>(&mut self, result: Result<T, impl Into<StartError>>) -> Option<T> {
        result.map_err(|error| self.fault(&error.into())).ok()
    }
}
