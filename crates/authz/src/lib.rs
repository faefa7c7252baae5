//! Decides whether a caller may do something to a resource, by the policy folder.
//!
//! Only `decision-log` and `policy` name Cedar, too. It knows nothing of HTTP, of the store or of
//! authentication; it takes facts and returns a [`decision::Decision`].

pub mod catalogue;
mod cedar_inputs;
mod combined_response;
pub mod custom_domain;
pub mod decide;
pub mod decision;
pub mod depth;
pub mod engine;
mod entities;
mod entity_ids;
mod facts;
mod facts_read;
pub mod failures;
pub mod fault;
pub mod folder;
pub mod gate_outcome;
mod index;
pub mod json;
mod judge;
pub mod kinds;
mod load;
mod names;
mod narrowing;
mod outcomes;
pub mod policy_health;
mod policy_scope;
pub mod principal;
mod principal_cache;
pub mod question;
pub mod refusal;
pub mod resource;
pub mod role_access;
pub mod role_matrix;
mod shapes;
pub mod snapshot;
pub mod source;
