//! What organizations have shares of.

/// What an organization uses and everybody pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Nonces remembered at the same time; counted by the replay guard.
    Nonces,
    /// Bytes of the decision log.
    DecisionLogBytes,
    /// Bytes that changes add to the database, their audit events among them.
    StoredBytes,
    /// Transactions that change something.
    Writes,
    /// Invitations mailed by an organization that is younger than a day.
    InvitationsFirstDay,
    /// Invitations mailed by any other.
    Invitations,
    /// Searches of records.
    Searches,
    /// Searches under way or waiting at the same time.
    SearchesAtOnce,
    /// Passwords hashed for its people.
    PasswordHashes,
}

impl Resource {
    /// All of them, in the order of their [`Resource::index`].
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

    /// The metrics' label.
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

    /// As clients are told.
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
    fn each_has_its_own_place() {
        for (place, resource) in Resource::ALL.into_iter().enumerate() {
            assert_eq!(resource.index(), place);
        }
    }
}
