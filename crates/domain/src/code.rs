//! Six-character codes: generated, unique, never changed, never reused (contract section 1).

use std::fmt;
use std::str::FromStr;

use super::entropy::Entropy;

/// The text is not six characters of `[0-9a-z]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected six characters of `0-9a-z`")]
pub struct MalformedCode;

/// The code of an organization (its `slug` on the machine surface) or of an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Code(String);

impl Code {
    /// Generates a code. On a collision the store generates another.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(random_text(entropy, 6))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Generates `length` characters of `[0-9a-z]`, each equally likely.
#[must_use]
pub fn random_text(entropy: &dyn Entropy, length: usize) -> String {
    const ALPHABET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    // 252 is the largest multiple of 36 in a byte: bytes above it would favour some letters.
    let mut text = String::with_capacity(length);
    let mut byte = [0];
    while text.len() < length {
        entropy.fill(&mut byte);
        let [drawn] = byte;
        if drawn < 252
            && let Some(letter) = ALPHABET.get(usize::from(drawn % 36))
        {
            text.push(char::from(*letter));
        }
    }
    text
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Code {
    type Err = MalformedCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = text.len() == 6
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(MalformedCode)
        }
    }
}
