//! A page of allowed actions.

use serde::Serialize;

#[derive(Serialize)]
pub(super) struct AccessBody {
    pub(super) results: Vec<Access>,
    /// May be set although this page is empty.
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
