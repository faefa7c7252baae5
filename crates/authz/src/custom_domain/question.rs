//! A question as its asker words it.

use cedar_policy::{Entities, Request};
use serde_json::{Map, Value};

use super::facts::Facts;
use crate::decision::PolicyVerdict;

/// A subject or a resource.
#[derive(Debug, Clone, Copy)]
pub struct NamedEntity<'a> {
    /// As the schema names the type, with its namespace.
    pub of: &'a str,
    pub id: &'a str,
    /// They fill the attributes that the schema declares; others are ignored.
    pub properties: &'a Map<String, Value>,
}

#[derive(Debug, Clone, Copy)]
pub struct DomainQuestion<'a> {
    pub subject: NamedEntity<'a>,
    /// The action's id.
    pub action: &'a str,
    /// They fill the context, as `context` does.
    pub action_properties: &'a Map<String, Value>,
    pub resource: NamedEntity<'a>,
    pub context: &'a Map<String, Value>,
    /// What the asker knows for certain; of two about one entity the last holds.
    pub facts: &'a [&'a Facts],
}

/// What a search looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchKind {
    Subject,
    Resource,
    Action,
}

impl<'a> DomainQuestion<'a> {
    /// The same about this candidate of a search.
    #[must_use]
    pub const fn about(mut self, sought: SearchKind, id: &'a str) -> Self {
        match sought {
            SearchKind::Subject => self.subject.id = id,
            SearchKind::Resource => self.resource.id = id,
            SearchKind::Action => self.action = id,
        }
        self
    }
}

/// An answer, with all that it was made of.
#[derive(Debug)]
pub struct Answered {
    pub verdict: PolicyVerdict,
    pub request: Request,
    /// Subject, resource and what they refer to, with the schema's actions.
    pub entities: Entities,
    /// About how much memory it takes to keep.
    pub bytes: usize,
}

/// A property that the schema declares, of another type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadProperty {
    /// A JSON pointer into the question, such as `/subject/properties/role`.
    pub pointer: String,
    pub message: String,
}

/// Why a question is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unasked {
    /// There is no such thing, or nobody says all that the schema wants to know of it; the text says which. It is
    /// denied.
    Unknown(String),
    Bad(BadProperty),
}
