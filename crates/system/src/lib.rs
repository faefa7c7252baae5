//! Operating system services: private files and directories, atomic replacement, append-only files
//! of lines, and no core dumps.
//!
//! It knows nothing of the files' contents.

pub mod atomic;
pub mod hardening;
pub mod lines;
pub mod private;
