//! What was found about one part of a start.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::StartError;

/// A part of the start.
#[derive(Debug, Serialize)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// Whether a start would get past it.
    pub ok: bool,
    /// What it is about.
    pub facts: Map<String, Value>,
    /// What is worth knowing and keeps nothing from starting.
    pub notes: Vec<String>,
    /// What keeps the service from starting, each as `serve` says it.
    pub faults: Vec<String>,
}

impl Part {
    /// A part of which nothing is known yet.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            ok: true,
            facts: Map::new(),
            notes: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// With one more fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds a fault.
    pub fn fault(&mut self, fault: &dyn std::error::Error) {
        self.ok = false;
        self.faults.push(fault.to_string());
    }

    /// What there is where there is no fault, which is added otherwise.
    pub(super) fn take<T>(&mut self, result: Result<T, impl Into<StartError>>) -> Option<T> {
        result.map_err(|error| self.fault(&error.into())).ok()
    }
}
