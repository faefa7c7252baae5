//! Where messages go: a mail server, or files for whoever tries things out.

use std::io;
use std::path::{Path, PathBuf};

use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::domain::id::MailId;
use crate::system::private;

/// A message did not get away.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The mail server's.
    #[error("the mail server: {0}")]
    Smtp(#[from] smtp::Error),
    /// A file could not be written.
    #[error("`{0}` cannot be written: {1}")]
    File(PathBuf, io::Error),
}

/// Where messages go.
pub enum Transport {
    /// A mail server.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    /// Files `{mail id}.eml` in this directory, readable by their owner only: links are secrets.
    Files(PathBuf),
}

impl Transport {
    /// To the mail server of that URL.
    ///
    /// # Errors
    ///
    /// [`TransportError::Smtp`] for a URL that it does not understand.
    pub fn smtp(url: &str) -> Result<Self, TransportError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?.build();
        Ok(Self::Smtp(Box::new(transport)))
    }

    /// Into that directory.
    #[must_use]
    pub const fn files(directory: PathBuf) -> Self {
        Self::Files(directory)
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// [`TransportError`]; the message may be sent again.
    pub async fn send(&self, id: MailId, message: &Message) -> Result<(), TransportError> {
        match self {
            Self::Smtp(server) => {
                server
                    .send_raw(message.envelope(), &message.formatted())
                    .await?;
                Ok(())
            }
            Self::Files(directory) => {
                let file = directory.join(format!("{}.eml", id.uuid()));
                let written = write(directory, &file, message.formatted()).await;
                written.map_err(|error| TransportError::File(file, error))
            }
        }
    }
}

/// Whole or not at all, as who reads the directory sees it.
async fn write(directory: &Path, file: &Path, content: Vec<u8>) -> io::Result<()> {
    let (directory, file) = (directory.to_owned(), file.to_owned());
    let written = tokio::task::spawn_blocking(move || {
        private::create_dir(&directory)?;
        private::replace(&file, &file.with_extension("new"), &content)
    });
    written.await.map_err(io::Error::other)?
}
