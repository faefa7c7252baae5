//! `/service-accounts/{id}/keys`

mod create;
mod list;
mod revoke;
mod rotate;
