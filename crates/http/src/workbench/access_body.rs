//! A page of what is allowed.

use serde::Serialize;

#[derive(Serialize)]
pub(super) struct AccessBody {
    /// What is allowed.
    pub(super) results: Vec<Access>,
    /// There may be a next page although this one is empty.
    pub(super) next_cursor: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Access {
    pub(super) subject: Entity,
    pub(super) action: String,
    pub(super) resource: Entity,
    /// The policies that allow it.
    pub(super) policies: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Entity {
    #[serde(rename = "type")]
    of: String,
    id: String,
}

impl Entity {
    pub(super) fn named(of: &str, id: impl Into<String>) -> Self {
        Self {
            of: of.to_owned(),
            id: id.into(),
        }
    }
}
