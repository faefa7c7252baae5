//! From the socket to a request: connections, limits, request ids, targets, the log line. The same for all
//! requests; it knows neither routes nor callers.

pub mod body_limits;
pub mod client_ip;
pub mod config;
mod connections;
pub mod context;
mod counted;
mod error_writer;
mod head_size;
pub mod listen;
pub(crate) mod memory_budget;
pub mod origin;
pub mod request_facts;
pub mod request_id;
pub mod request_log;
mod request_metrics;
pub mod service;
pub mod target;
pub(crate) mod trace_context;
mod traffic;
mod unread_body;
pub mod wire;
