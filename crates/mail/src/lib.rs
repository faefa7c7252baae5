//! Mail: from a sealed letter in the outbox to a message on its way.
//!
//! It knows SMTP and MIME, and nothing of requests: nobody waits for it, and a mail that cannot be
//! sent is tried again until its link is void.

mod message;
mod sender;
mod smtp_url;
mod transport;
mod transport_error;

pub use message::{ComposeError, Composer};
pub use sender::Sender;
pub use transport::Transport;
pub use transport_error::TransportError;
