//! The policies in force: checked at start, watched, and replaced when a valid edit arrives.
//!
//! If an edit is refused, the previous policies stay in force, and `/readyz` says why.

mod accepted;
mod baseline;
mod checked_folder;
mod checker;
mod domain_shadows;
mod domains;
mod emergency_stop;
mod folder_follower;
mod folder_reading;
mod folder_watch;
mod last_accepted;
mod ledger;
mod reload;
mod report;
mod shadow;
mod start;
mod take;
mod tools;
mod writable;

pub(super) use checked_folder::Policies;
pub(super) use domains::refused_domains;
pub(super) use reload::Reloader;
pub(super) use report::warn_of_unknown_names;
pub(super) use tools::Tools;
