//! Decides: may this caller do that to this thing? The security team's policy folder answers.
//!
//! The only place, with `policy`, that names Cedar. It knows nothing of HTTP, of the store or of
//! how the caller proved who it is; it is given facts and gives a [`decision::Decision`].

mod answer;
pub mod catalogue;
mod conformance;
pub mod decision;
pub mod engine;
mod entities;
mod entity_ids;
mod expressions;
mod facts;
mod failures;
pub mod fault;
pub mod folder;
mod index;
pub mod json;
mod known;
mod limits;
mod load;
mod names;
pub mod principal;
mod principals;
pub mod question;
pub mod refusal;
pub mod role_matrix;
mod shapes;
pub mod snapshot;
mod stray;
mod trial;
mod unfilled;
