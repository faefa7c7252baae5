//! `/service-accounts`

mod create;
mod delete;
mod grants;
mod keys;
mod list;
mod one;

const SERVICE_ACCOUNTS: &str = "/service-accounts";
