//! Domain types as values of request bodies: parser, limits, schema and example of each.

mod grants;
mod metadata;
mod texts;

pub use metadata::MetadataSchema;
pub use texts::{LinkToken, PortalName, ShownKey};
