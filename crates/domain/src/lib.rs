//! Domain types: ids, callers, parsed values and the records of a tenant.
//!
//! No I/O and no framework. A value that exists is valid: constructors parse, so other crates need not check
//! again.

pub mod access_key;
pub mod account;
pub mod audit;
pub mod caller;
pub mod causes;
pub mod clock;
pub mod code;
pub mod confirmed_clock;
pub mod email;
pub mod entropy;
pub mod grants;
pub mod id;
pub mod invitation;
pub mod ip_allowlist;
pub mod json;
pub mod keyed_hash;
pub mod metadata;
pub mod organization;
pub mod organization_settings;
pub mod outgoing_email;
pub mod page;
pub mod password;
pub mod permission;
pub mod printable;
pub mod progress;
pub mod region;
pub mod service_account;
pub mod session;
pub mod similar;
pub mod slug;
pub mod text;
pub mod timestamp;
pub mod user;
