//! Why a message did not get away.

use std::io;
use std::path::PathBuf;

use lettre::transport::smtp;

/// A message did not get away.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The mail server's.
    #[error("the mail server: {0}")]
    Smtp(#[from] smtp::Error),
    /// The mail server's URL is not one.
    #[error("{0}")]
    Url(String),
    /// A file could not be written.
    #[error("`{0}` cannot be written: {1}")]
    File(PathBuf, io::Error),
}
