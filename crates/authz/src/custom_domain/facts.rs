//! Entities that whoever asks vouches for.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::json::Uid;

/// An entity with what is known of it. Attributes and parents that the schema does not declare are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    pub uid: Uid,
    /// In Cedar's JSON form; an entity is `{"type": …, "id": …}`.
    pub attributes: Map<String, Value>,
    pub parents: Vec<Uid>,
}

/// Facts from one source, with their text for comparisons.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    each: Vec<Fact>,
    text: Vec<u8>,
}

impl Facts {
    #[must_use]
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "names and values of JSON have a text"
    )]
    pub fn new(each: Vec<Fact>) -> Self {
        let text = serde_json::to_vec(&each).expect("it is JSON");
        Self { each, text }
    }

    pub(super) fn each(&self) -> &[Fact] {
        &self.each
    }

    /// About how many bytes of memory they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        4 * self.text.len()
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }
}
