//! Decides: may this caller do that to this resource? The security team's policy folder answers.
//!
//! The only place, with `policy`, that names Cedar. It knows nothing of HTTP, of the store or of
//! how the caller proved who it is; it is given facts and gives a [`decision::Decision`].

mod answer;
pub mod catalogue;
pub mod decide;
pub mod decision;
pub mod depth;
pub mod engine;
mod entities;
mod facts;
mod facts_read;
pub mod failures;
pub mod fault;
pub mod folder;
mod index;
mod inputs;
pub mod json;
pub mod kinds;
mod load;
mod names;
mod outcomes;
pub mod principal;
mod principals;
pub mod question;
pub mod refusal;
pub mod resource;
pub mod role_matrix;
mod shapes;
pub mod snapshot;
pub mod source;
