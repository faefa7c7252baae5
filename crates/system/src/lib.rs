//! What the service asks of the operating system: private files and directories, files of lines
//! that are only appended to, and no core dumps.
//!
//! It knows nothing of what the files hold.

pub mod hardening;
pub mod lines;
pub mod private;
