use std::io;
use std::path::PathBuf;

use lettre::transport::smtp;

/// Why a message could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The mail server's error.
    #[error("the mail server: {0}")]
    Smtp(#[from] smtp::Error),
    #[error("{0}")]
    Url(String),
    #[error("`{0}` cannot be written: {1}")]
    File(PathBuf, io::Error),
}
