//! Where messages are sent: a mail server, or files for development.

use std::io;
use std::path::{Path, PathBuf};

use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use url::Host;

use super::smtp_url;
use super::transport_error::TransportError;
use charter_domain::id::JobId;
use charter_system::{atomic, private};

pub enum Transport {
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    /// Files `{mail id}.eml` in this directory, readable by their owner only, because links are secrets.
    Files(PathBuf),
}

impl Transport {
    /// To the mail server of this URL. `name` is sent in EHLO (RFC 5321 section 4.1.1.1); by default it is the
    /// machine's own name.
    pub fn smtp(url: &str, name: Option<Host<String>>) -> Result<Self, TransportError> {
        let name = match name {
            Some(Host::Domain(domain)) => ClientId::Domain(domain),
            Some(Host::Ipv4(ip)) => ClientId::Ipv4(ip),
            Some(Host::Ipv6(ip)) => ClientId::Ipv6(ip),
            None => ClientId::default(),
        };
        let transport = smtp_url::builder(url, name)?.build();
        Ok(Self::Smtp(Box::new(transport)))
    }

    #[must_use]
    pub const fn files(directory: PathBuf) -> Self {
        Self::Files(directory)
    }

    /// Sends a message; after an error it may be sent again.
    pub async fn send(&self, id: JobId, message: &Message) -> Result<(), TransportError> {
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

/// Atomic for readers of the directory.
async fn write(directory: &Path, file: &Path, content: Vec<u8>) -> io::Result<()> {
    let (directory, file) = (directory.to_owned(), file.to_owned());
    let written = tokio::task::spawn_blocking(move || {
        private::create_dir(&directory)?;
        atomic::replace_private(&file, &content)
    });
    written.await.map_err(io::Error::other)?
}
