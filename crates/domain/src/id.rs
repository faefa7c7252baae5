//! Typed identifiers: a UUIDv7 that the machine surface shows as a prefix and 26 characters of
//! Crockford base32 (contract section 1).

use std::fmt;
use std::str::FromStr;

use ulid::Ulid;
use uuid::{Builder, Uuid};

use super::entropy::Entropy;
use super::timestamp::Timestamp;

/// The text is not an identifier of the expected kind in its canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed id, expected `{prefix}` and 26 lowercase base32 characters")]
pub struct MalformedId {
    prefix: &'static str,
}

/// A UUIDv7 (RFC 9562 section 5.7): milliseconds first, so ids sort by creation.
fn uuid_v7(now: Timestamp, entropy: &dyn Entropy) -> Uuid {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    let milliseconds = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid()
}

/// Parses the canonical form only: lowercase, no look-alike letters, no overflow.
fn parse(prefix: &'static str, text: &str) -> Result<Uuid, MalformedId> {
    let malformed = MalformedId { prefix };
    let digits = text.strip_prefix(prefix).ok_or(malformed)?;
    let uuid = Uuid::from_u128(u128::from(
        Ulid::from_string(digits).map_err(|_| malformed)?,
    ));
    // The decoder ignores case and look-alikes; each object must have one spelling.
    if encode(uuid) == digits {
        Ok(uuid)
    } else {
        Err(malformed)
    }
}

fn encode(uuid: Uuid) -> String {
    Ulid::from(uuid.as_u128()).to_string().to_ascii_lowercase()
}

/// An id whose text form is a prefix and 26 characters.
pub trait TypedId: FromStr {
    const PREFIX: &'static str;
    /// The ECMA-262 pattern of the text form.
    const PATTERN: &'static str;
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id.
            #[must_use]
            pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
                Self(uuid_v7(now, entropy))
            }

            /// For a stored UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Parses the portal's form, in its canonical spelling only (RFC 9562 section 4).
            #[must_use]
            pub fn parse_uuid(text: &str) -> Option<Self> {
                let uuid: Uuid = text.parse().ok()?;
                // The parser accepts other spellings; each object must have one.
                uuid.hyphenated()
                    .to_string()
                    .eq_ignore_ascii_case(text)
                    .then_some(Self(uuid))
            }

            /// Parses either form.
            #[must_use]
            pub fn parse_either(text: &str) -> Option<Self> {
                text.parse().ok().or_else(|| Self::parse_uuid(text))
            }

            /// As the store keeps it and the portal shows it.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl TypedId for $name {
            const PREFIX: &'static str = $prefix;
            const PATTERN: &'static str = concat!("^", $prefix, "[0-7][0-9a-hjkmnp-tv-z]{25}$");
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse($prefix, text).map(Self)
            }
        }
    };
}

typed_id!(
    /// The tenant.
    OrganizationId, "org-"
);
typed_id!(
    /// A workspace inside an organization.
    AccountId, "acc-"
);
typed_id!(
    /// A machine identity.
    ServiceAccountId, "sa-"
);
typed_id!(
    /// An access key's row, not its text.
    AccessKeyId, "key-"
);
typed_id!(
    /// A person.
    UserId, "user-"
);
typed_id!(
    /// What one sign-in begins: a family of refresh tokens.
    SessionId, "session-"
);
typed_id!(
    /// An invitation into an organization.
    InvitationId, "invitation-"
);
typed_id!(
    /// Work that is left for later.
    JobId, "job-"
);
typed_id!(
    /// An answer of policy, as the decision log keeps it.
    DecisionId, "dec-"
);
typed_id!(
    /// Somebody's word for a policy folder.
    ApprovalId, "approval-"
);

impl DecisionId {
    /// Unix time of its creation, in milliseconds.
    #[must_use]
    pub fn made_at_millis(self) -> i64 {
        // RFC 9562 section 5.7: the first 48 bits.
        i64::try_from(self.0.as_u128() >> 80).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id =
            OrganizationId::from_uuid(Uuid::from_u128(0x0198_f000_0000_7000_8000_0000_0000_0001));
        let text = id.to_string();
        assert_eq!(text.len(), "org-".len() + 26);
        assert_eq!(text.parse(), Ok(id));
        for other in [
            text.to_uppercase(),
            text.replacen("org-", "acc-", 1),
            text.replace('0', "o"),
            text.replace('1', "l"),
            format!("{text}0"),
            format!(" {text}"),
            "org-zzzzzzzzzzzzzzzzzzzzzzzzzz".to_owned(),
            "org-".to_owned(),
            String::new(),
        ] {
            assert!(
                other.parse::<OrganizationId>().is_err(),
                "`{other}` was read"
            );
        }
    }
}
