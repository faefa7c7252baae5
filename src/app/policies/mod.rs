//! The policies in force: checked at start, watched, and replaced when a valid edit arrives.
//!
//! If an edit is refused, the previous policies stay in force, and `/readyz` says why.

mod accepted;
mod baseline;
mod check_turns;
mod checked_folder;
mod checker;
mod domain_folder;
mod domain_shadows;
mod domains;
mod emergency_stop;
mod folder_follower;
mod folder_reading;
mod folder_reloader;
mod folder_watch;
mod in_force;
mod last_accepted;
mod ledger;
mod reload;
mod report;
mod restore;
mod shadow;
mod start;
mod take;
mod taken;
mod tools;
mod writable;

pub(super) use checked_folder::Policies;
pub(super) use domains::refused_domains;
pub(super) use reload::Reloader;
pub(super) use report::warn_of_unknown_names;
pub(super) use tools::Tools;
