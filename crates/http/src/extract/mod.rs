//! The arguments of handlers: authentication, input, object and authorization.

pub mod anonymous;
mod argument;
pub mod authenticate;
pub mod authorized;
pub mod authorizer;
pub mod body;
pub mod body_value;
pub mod cookie;
pub mod cursor_query;
pub mod cursor_scope;
pub mod facts;
pub mod fields;
pub mod input;
pub mod json;
pub mod json_body;
pub mod list_query;
pub mod loaded;
pub mod objects;
pub mod operation;
pub mod own_user;
pub mod path;
pub mod query;
pub mod security;
pub mod tenants;
pub mod values;
