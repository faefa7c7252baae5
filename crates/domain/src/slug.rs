//! An organization's name in the portal's URLs (contract section 1).

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::id::OrganizationId;

/// Names that could be mistaken for the service itself.
const RESERVED: &[&str] = &[
    "admin",
    "api",
    "app",
    "auth",
    "billing",
    "blog",
    "cdn",
    "charter",
    "dashboard",
    "docs",
    "help",
    "internal",
    "login",
    "mail",
    "metrics",
    "portal",
    "root",
    "signup",
    "static",
    "status",
    "support",
    "system",
    "www",
];

/// Why a slug was refused; the text is for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SlugError {
    #[error("must have 3 to 63 characters")]
    Length,
    /// An invalid character, or a hyphen in the wrong place.
    #[error("must consist of `a-z` and `0-9`, with single hyphens between them")]
    Characters,
    /// A reserved word, or a text that looks like an organization's id.
    #[error("is reserved, choose another")]
    Reserved,
}

/// Whether it looks like the id of an organization.
fn is_an_id(text: &str) -> bool {
    Uuid::try_parse(text).is_ok() || text.parse::<OrganizationId>().is_ok()
}

/// 3 to 63 characters of `[a-z0-9]` with single inner hyphens. Uppercase is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slug(String);

impl Slug {
    pub const MIN_CHARACTERS: usize = 3;
    pub const MAX_CHARACTERS: usize = 63;
    /// As an ECMA-262 regular expression.
    pub const PATTERN: &str = "^[a-z0-9]+(-[a-z0-9]+)*$";

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Slug {
    type Err = SlugError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = text.split('-').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        });
        if !(Self::MIN_CHARACTERS..=Self::MAX_CHARACTERS).contains(&text.len()) {
            Err(SlugError::Length)
        } else if !well_formed {
            Err(SlugError::Characters)
        } else if RESERVED.contains(&text) || is_an_id(text) {
            Err(SlugError::Reserved)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_slugs_are_read() {
        for good in ["abc", "a-b", "acme-2", "0-0", &"a".repeat(63)] {
            assert!(good.parse::<Slug>().is_ok(), "`{good}` was refused");
        }
        for bad in [
            "",
            "ab",
            "Acme",
            "-abc",
            "abc-",
            "a--b",
            "a_b",
            "a b",
            "abc.",
            "аbc",
            "ａbc",
            "abc\n",
            "api",
            "www",
            "admin",
            "01a3d2ba-5fb9-7caa-a9f3-f6231c1d8e47",
            "01a3d2ba5fb97caaa9f3f6231c1d8e47",
            "org-01m8hyq34pfmtthy6hzt2x7e0m",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<Slug>().is_err(), "`{bad}` was read");
        }
    }
}
