//! HTTP: requests, responses and status codes. The only crate that uses salvo.
//!
//! Modules import only from later ones of this list: `document`, `router`, the surfaces (`workbench`,
//! `machine`, `portal`, `ops`, `docs`, `console`), `access`, `methods`, `extract`, `state`, `edge`, `respond`. `state`
//! holds `extract::tenants` too, which only `extract` can open.

pub mod access;
mod console;
mod docs;
pub mod document;
pub mod edge;
pub mod extract;
mod machine;
mod methods;
pub mod ops;
mod portal;
pub mod respond;
pub mod router;
pub mod state;
mod workbench;
