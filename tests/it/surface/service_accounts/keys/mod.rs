//! `/service-accounts/{id}/keys`

mod create;
mod list;
mod reach;
mod revoke;
mod rotate;
