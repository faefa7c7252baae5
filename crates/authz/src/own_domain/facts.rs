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
