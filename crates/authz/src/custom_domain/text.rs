//! How messages name entities and errors.

use crate::json::Uid;

pub(super) fn shown(uid: &Uid) -> String {
    format!("`{}::\"{}\"`", uid.of, uid.id)
}

/// Cedar names the entity and the attribute in the causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
