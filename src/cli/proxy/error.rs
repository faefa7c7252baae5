//! Errors that prevent the start of `charter proxy`.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::cli::request::RequestError;

#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    #[error(
        "`--listen {0}` is not a loopback address: whoever reaches the proxy acts with its key; give \
         `127.0.0.1:PORT` or `[::1]:PORT`"
    )]
    NotLoopback(SocketAddr),
    #[error("cannot listen on {0}: {1}; give another port with `--listen`")]
    Listen(SocketAddr, io::Error),
    #[error("the secret key cannot be read from `{0}`: {1}")]
    SecretFile(PathBuf, io::Error),
    /// Invalid credentials or server address.
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Io(#[from] io::Error),
}
