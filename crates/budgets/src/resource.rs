//! Resources of which each organization has a share.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Remembered nonces; counted by the replay guard.
    Nonces,
    DecisionLogBytes,
    /// Bytes that changes add to the database, audit events included.
    StoredBytes,
    /// Transactions that write.
    Writes,
    /// Invitations sent by organizations younger than a day.
    InvitationsFirstDay,
    /// Invitations sent by older organizations.
    Invitations,
    /// Searches of decision records.
    Searches,
    /// Searches that run or wait at the same time.
    SearchesAtOnce,
    /// Passwords hashed for its users.
    PasswordHashes,
}

impl Resource {
    /// In the order of [`Resource::index`].
    pub const ALL: [Self; 9] = [
        Self::Nonces,
        Self::DecisionLogBytes,
        Self::StoredBytes,
        Self::Writes,
        Self::InvitationsFirstDay,
        Self::Invitations,
        Self::Searches,
        Self::SearchesAtOnce,
        Self::PasswordHashes,
    ];

    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The label in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nonces => "nonces",
            Self::DecisionLogBytes => "decision_log_bytes",
            Self::StoredBytes => "stored_bytes",
            Self::Writes => "writes",
            Self::InvitationsFirstDay => "invitations_first_day",
            Self::Invitations => "invitations",
            Self::Searches => "searches",
            Self::SearchesAtOnce => "searches_at_once",
            Self::PasswordHashes => "password_hashes",
        }
    }

    /// The noun in error messages.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Nonces => "remembered nonces",
            Self::DecisionLogBytes => "the decision log",
            Self::StoredBytes => "stored bytes",
            Self::Writes => "changes",
            Self::InvitationsFirstDay => "invitations on its first day",
            Self::Invitations => "invitations",
            Self::Searches => "searches",
            Self::SearchesAtOnce => "searches at the same time",
            Self::PasswordHashes => "password checks",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resource_has_its_own_place() {
        for (place, resource) in Resource::ALL.into_iter().enumerate() {
            assert_eq!(resource.index(), place);
        }
    }
}
