//! HTTP: everything between the socket and the floors below, and the only place that names salvo.
//!
//! The edge (listen, wire, service, target, request ids) holds for every request alike; readers
//! (body, json, fields, query, etag) turn what a client sent into values or into an `ApiError`.

pub mod anonymous;
pub mod answer;
pub mod authenticate;
pub mod authorized;
pub mod authorizer;
pub mod body;
pub mod client_ip;
mod connections;
pub mod context;
mod counted;
pub mod docs;
pub mod error;
pub mod etag;
pub mod evaluation;
pub mod fields;
pub mod input;
pub mod json;
pub mod list;
pub mod listen;
pub mod machine;
mod memory_budget;
mod methods;
pub mod objects;
pub mod openapi;
pub mod operation;
pub mod ops;
pub mod origin;
pub mod own_person;
pub mod portal;
pub mod query;
pub mod request_id;
pub mod request_log;
pub mod revisions;
pub mod router;
pub mod searches;
pub mod service;
pub mod state;
pub mod target;
pub mod tasks;
mod trace_context;
mod traffic;
mod wire;
