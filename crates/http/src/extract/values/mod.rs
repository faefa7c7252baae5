//! Domain types as values of request bodies: parser, limits, schema and example of each.

mod grants;
mod ids;
mod metadata;
mod texts;

pub use ids::{IdSchema, id_schema};
pub use metadata::MetadataSchema;
pub use texts::{LinkToken, PortalName, ShownKey};
