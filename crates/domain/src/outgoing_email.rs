//! Emails before they are rendered: recipient, kind and link.

use serde::{Deserialize, Serialize};

/// An email to one user. It is encrypted in the outbox, because its link is a secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Email {
    /// In the stored normal form.
    pub to: String,
    /// Stored as `matter`, so that emails queued by earlier versions can still be read.
    #[serde(rename = "matter")]
    pub kind: EmailKind,
    /// Includes the token.
    pub link: String,
}

/// The purpose of an email.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailKind {
    VerifyEmail,
    ResetPassword,
    Invitation { organization: String, role: String },
}

/// Omits the link.
impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Email")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
