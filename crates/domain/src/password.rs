//! New passwords (contract section 5): 8 to 256 characters, and none of the most common ones.
//!
//! The input is normalized first (RFC 8265 section 4.2, NFC), so that different keyboards agree. There is no rule
//! about classes of characters: they make passwords worse (NIST SP 800-63B section 3.1.1.2).

use std::collections::HashSet;
use std::sync::LazyLock;

use secrecy::SecretString;
use unicode_normalization::UnicodeNormalization;

/// Limit of characters before normalization; 256 normalized ones take far fewer.
const MAX_TYPED: usize = 1024;

/// The most common passwords, in lowercase, one a line.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// Why a new password was refused; the text is for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("must have 8 to 256 characters")]
    Length,
    #[error("is one of the most common passwords, choose another")]
    Common,
}

/// A new password in the form that is hashed.
#[derive(Debug, Clone)]
pub struct NewPassword(SecretString);

impl NewPassword {
    pub const MIN_CHARACTERS: usize = 8;
    pub const MAX_CHARACTERS: usize = 256;

    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        if text.chars().nth(MAX_TYPED).is_some() {
            return Err(PasswordError::Length);
        }
        let text: String = text.nfc().collect();
        let characters = text.chars().count();
        if !(Self::MIN_CHARACTERS..=Self::MAX_CHARACTERS).contains(&characters) {
            return Err(PasswordError::Length);
        }
        if COMMON.contains(text.to_lowercase().as_str()) {
            return Err(PasswordError::Common);
        }
        Ok(Self(SecretString::from(text)))
    }

    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

/// A password to verify, in the form that is hashed. Nothing is refused here, since any text may be wrong. Input
/// longer than any password is truncated, which keeps it wrong.
#[derive(Debug, Clone)]
pub struct EnteredPassword(SecretString);

impl EnteredPassword {
    pub fn new(text: &str) -> Self {
        let bounded = text.chars().take(MAX_TYPED + 1).nfc();
        let cut = bounded.take(NewPassword::MAX_CHARACTERS + 1);
        Self(SecretString::from(cut.collect::<String>()))
    }

    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn only_the_length_and_the_list_count() {
        for good in [
            "abcdefgx",
            "        ",
            "пароль-пароль",
            "p4ss🦀word",
            &"x".repeat(256),
        ] {
            assert!(NewPassword::parse(good).is_ok(), "`{good}` was refused");
        }
        for (bad, why) in [
            ("", PasswordError::Length),
            ("1234567", PasswordError::Length),
            ("🦀🦀🦀🦀🦀🦀🦀", PasswordError::Length),
            (&"x".repeat(257), PasswordError::Length),
            ("password", PasswordError::Common),
            ("PassWord123", PasswordError::Common),
            ("12345678", PasswordError::Common),
            ("iloveyou", PasswordError::Common),
        ] {
            assert_eq!(NewPassword::parse(bad).map(|_| ()), Err(why), "{bad}");
        }
    }

    #[test]
    fn two_keyboards_agree() {
        let entered = |text| EnteredPassword::new(text).into_secret();
        let (composed, decomposed) = (
            entered("caf\u{e9} cr\u{e8}me"),
            entered("cafe\u{301} cre\u{300}me"),
        );
        assert_eq!(composed.expose_secret(), decomposed.expose_secret());
        assert_eq!(entered(&"x".repeat(9_999)).expose_secret().len(), 257);
    }

    #[test]
    fn the_list_is_of_passwords_that_could_be_chosen() {
        assert!(COMMON.len() > 300);
        for common in COMMON.iter() {
            assert!(
                common.chars().count() >= NewPassword::MIN_CHARACTERS,
                "{common}"
            );
            assert_eq!(common.to_lowercase(), **common);
        }
    }
}
