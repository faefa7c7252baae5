//! A domain of one's own: a schema, policies and perhaps entities and routes that know nothing of the service.
//!
//! Its questions name types, ids and properties as text. Entities come from three places: what the caller vouches
//! for ([`Fact`]) stands over `entities.json`, and that over the properties of a question.

mod actions;
mod answers;
mod ask;
mod assemble;
mod declared_question;
mod entity_types;
mod facts;
mod file;
mod json_form;
mod load;
mod one_entity;
mod question;
mod references;
mod route;
mod routes;
mod search;
mod store_records;
mod weight;

pub use answers::Answers;
pub use facts::{Fact, Facts};
pub use load::CustomDomain;
pub use question::{Answered, BadProperty, DomainQuestion, NamedEntity, SearchKind, Unasked};
pub use routes::Routed;
pub use search::{FoundIds, SearchPage};
