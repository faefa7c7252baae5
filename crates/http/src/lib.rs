//! HTTP: everything between the socket and the floors below, and the only place that names salvo.
//!
//! Imports go downwards: `document`, `router`, the surfaces (`machine`, `portal`, `ops`, `workbench`, `docs`, `console`),
//! `extract`, `state`, `edge`, `respond`. `state` holds `extract::tenants` too, which only `extract` can open.

pub mod access;
pub mod console;
pub mod docs;
pub mod document;
pub mod edge;
pub mod extract;
pub mod machine;
mod methods;
pub mod ops;
pub mod portal;
pub mod respond;
pub mod router;
pub mod state;
pub mod workbench;
