//! Sends the emails that wait encrypted in the outbox.
//!
//! This crate handles SMTP and MIME. Requests never wait for it; an email that could not be sent is retried until
//! its link expires.

mod message;
mod sender;
mod smtp_url;
mod transport;
mod transport_error;

pub use message::{ComposeError, Composer, check_sender};
pub use sender::Sender;
pub use transport::Transport;
pub use transport_error::TransportError;
