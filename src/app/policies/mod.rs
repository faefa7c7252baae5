//! Which policies decide: checked at start, watched, and exchanged when a sound edit arrives.
//!
//! Whatever is wrong with an edit, what was in force stays in force, and `/readyz` says why.

mod accepted;
mod checked_folder;
mod checker;
mod promise;
mod read;
mod reload;
mod report;
mod shadow;
mod start;
mod stops;
mod take;
mod watch;

pub(super) use checked_folder::Policies;
pub(super) use reload::Reloader;
pub(super) use report::warn_of_unknown_names;
