//! Both surfaces over HTTP, on both databases (contract sections 1 to 6). The directories
//! stand as the URLs do; beside them is what holds for every route.

mod accounts;
mod audit_events;
mod bounded_reads;
mod budgets;
mod credentials;
pub(crate) mod cursors;
mod documents;
mod envelope;
mod every_route;
mod heads;
mod keys;
mod leaked_keys;
mod order;
mod organizations;
mod permissions;
pub(crate) mod portal;
mod preconditions;
mod service_accounts;
mod signing;
mod tenancy;
