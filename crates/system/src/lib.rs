//! Operating system services: private files and directories, atomic replacement, append-only files
//! of lines, no core dumps and no huge pages.
//!
//! It knows nothing of the files' contents.

pub mod atomic;
pub mod hardening;
pub mod lines;
pub mod memory;
pub mod private;
