//! Assembles and runs the service from its settings.

mod assembly;
pub mod background;
pub mod check;
mod database;
pub mod decisions;
pub mod demo;
mod denials;
mod disk;
mod keys;
mod merged_denials;
mod missing_keys;
mod near_budgets;
mod open_files;
pub mod policies;
pub mod provision;
mod replay;
mod replicas;
pub mod serve;
mod start_error;
mod users;
pub mod welcome;

pub use assembly::{App, give_back};
pub use database::{Missing, check_keys, open_store};
pub use keys::sealer;
pub use start_error::{StartError, advised};
pub use users::link_mails;

#[must_use]
pub fn openapi_document() -> &'static str {
    charter_http::document::text()
}
