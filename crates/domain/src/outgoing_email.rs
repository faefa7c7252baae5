//! What a mail says, before it has words: whom it is for and the link it carries.

use serde::{Deserialize, Serialize};

/// A mail to one person. It waits sealed in the outbox, since its link is a secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Email {
    /// The address, in its stored normal form.
    pub to: String,
    /// What it is about. Stored as `matter`, so that mails sealed by earlier versions still open.
    #[serde(rename = "matter")]
    pub kind: EmailKind,
    /// The link, token included.
    pub link: String,
}

/// What a mail is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailKind {
    /// Shows that mail to the address is read.
    VerifyEmail,
    /// Sets another password.
    ResetPassword,
    /// Leads into an organization.
    Invitation {
        /// The organization's name.
        organization: String,
        /// The role it gives.
        role: String,
    },
}

/// Without the link.
impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Email")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
