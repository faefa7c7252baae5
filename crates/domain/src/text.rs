//! Text from clients: trimmed, in Unicode form C, without control or bidirectional-control characters (contract
//! section 1).

use std::net::Ipv4Addr;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Why a text was refused; the text is for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Empty after trimming.
    #[error("must not be empty")]
    Empty,
    /// Only spaces, format characters and the like.
    #[error("must have a visible character")]
    Invisible,
    #[error("must have at most {0} characters")]
    TooManyCharacters(usize),
    #[error("must take at most {0} bytes of UTF-8")]
    TooManyBytes(usize),
    /// A character that could hide or reorder text.
    #[error("must not contain the control character U+{0:04X}")]
    Control(u32),
}

/// The characters of [`is_forbidden`] for a character class of an ECMA-262 pattern.
macro_rules! forbidden_class {
    () => {
        r"\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    };
}

/// A name: 1 to 200 characters, at most 800 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    pub const MAX_CHARACTERS: usize = 200;
    pub const MAX_BYTES: usize = 800;
    /// The ECMA-262 pattern closest to [`Name::parse`].
    pub const PATTERN: &str = concat!(
        "^[^",
        forbidden_class!(),
        r"]*[^\s",
        forbidden_class!(),
        "][^",
        forbidden_class!(),
        "]*$"
    );

    /// Trims, normalizes and checks.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let name = clean(text, Self::MAX_CHARACTERS, Self::MAX_BYTES)?;
        if name.is_empty() {
            Err(TextError::Empty)
        } else if !name.chars().any(is_visible) {
            Err(TextError::Invisible)
        } else {
            Ok(Self(name))
        }
    }

    /// For a stored name, which was checked when it was written.
    #[must_use]
    pub fn from_stored(name: String) -> Self {
        Self(name)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an email client could turn it into a link: `://`, `www.`, a dot between letters (contract section
    /// 5), an IPv4 address, or an encoded word (RFC 2047), which is shown decoded. Compatibility forms such as the
    /// ideographic full stop are mapped as browsers map them (UTS #46); marks and invisible characters are
    /// ignored.
    #[must_use]
    pub fn reads_as_address(&self) -> bool {
        let text = as_read(&self.0).replace('\u{3002}', ".");
        let characters: Vec<char> = text.chars().collect();
        let has_inner_dot = characters.windows(3).any(|window| match window {
            [before, '.', after] => before.is_alphanumeric() && after.is_alphabetic(),
            _ => false,
        });
        let is_of_ipv4 = |character: char| character.is_ascii_digit() || character == '.';
        has_inner_dot
            || ["://", "www.", "=?"].iter().any(|part| text.contains(part))
            || text
                .split(|character| !is_of_ipv4(character))
                .any(|part| part.parse::<Ipv4Addr>().is_ok())
    }
}

/// A description: at most 1,000 characters and 4,000 bytes, possibly empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description(String);

impl Description {
    pub const MAX_CHARACTERS: usize = 1_000;
    pub const MAX_BYTES: usize = 4_000;
    /// The ECMA-262 pattern of [`Description::parse`].
    pub const PATTERN: &str = concat!("^[^", forbidden_class!(), "]*$");

    /// Trims, normalizes and checks.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        clean(text, Self::MAX_CHARACTERS, Self::MAX_BYTES).map(Self)
    }

    /// For a stored description, which was checked when it was written.
    #[must_use]
    pub fn from_stored(description: String) -> Self {
        Self(description)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn clean(text: &str, characters: usize, bytes: usize) -> Result<String, TextError> {
    // Cheap limit first: normalizing an oversized text would be wasted work.
    if text.len() > bytes.saturating_mul(4) {
        return Err(TextError::TooManyBytes(bytes));
    }
    if let Some(control) = text.chars().find(|&character| is_forbidden(character)) {
        return Err(TextError::Control(control.into()));
    }
    let text: String = text.trim().nfc().collect();
    if text.chars().count() > characters {
        return Err(TextError::TooManyCharacters(characters));
    }
    if text.len() > bytes {
        return Err(TextError::TooManyBytes(bytes));
    }
    Ok(text)
}

/// The text as it is read, for comparing: compatibility forms mapped (NFKC), without invisible characters, in lower
/// case.
#[must_use]
pub fn as_read(text: &str) -> String {
    let shown = text.nfkc().filter(|&character| has_width(character));
    shown.collect::<String>().to_lowercase()
}

/// Control characters (C0, C1, U+2028, U+2029) and bidirectional controls (UAX #9, `Bidi_Control`).
#[must_use]
pub fn is_forbidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}'
            | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether it cannot be seen, or changes how others are shown: with [`is_forbidden`] all of the category `Format`.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    is_forbidden(character) || character.general_category() == GeneralCategory::Format
}

/// Whether it occupies a column of its own, unlike combining marks.
fn has_width(character: char) -> bool {
    use GeneralCategory::{EnclosingMark, Format, NonspacingMark};
    !matches!(
        character.general_category(),
        Format | NonspacingMark | EnclosingMark
    )
}

/// Whether it is visible on its own.
fn is_visible(character: char) -> bool {
    use GeneralCategory::{
        Control, EnclosingMark, Format, LineSeparator, NonspacingMark, ParagraphSeparator,
        SpaceSeparator, Surrogate, Unassigned,
    };
    let has_a_glyph = !matches!(
        character.general_category(),
        Control
            | Format
            | LineSeparator
            | ParagraphSeparator
            | SpaceSeparator
            | Surrogate
            | Unassigned
            | NonspacingMark
            | EnclosingMark
    );
    // Hangul fillers and the blank Braille pattern are letters and a symbol by category, but blank.
    has_a_glyph
        && !matches!(
            character,
            '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{2800}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_in_patterns_is_what_is_forbidden() {
        let character = |escape: &str| {
            let code = escape.strip_prefix(r"\u").expect("an escape");
            u32::from_str_radix(code, 16).expect("a code point")
        };
        let mut class = forbidden_class!();
        let mut listed = std::collections::BTreeSet::new();
        while !class.is_empty() {
            let (first, rest) = class.split_at(6);
            let (last, rest) = match rest.strip_prefix('-') {
                Some(range) => range.split_at(6),
                None => (first, rest),
            };
            listed.extend(character(first)..=character(last));
            class = rest;
        }
        let forbidden: std::collections::BTreeSet<u32> = ('\0'..=char::MAX)
            .filter(|&character| is_forbidden(character))
            .map(u32::from)
            .collect();
        assert_eq!(listed, forbidden);
    }

    #[test]
    fn a_name_is_trimmed_and_composed() {
        let name = Name::parse("  Ac\u{327}a\u{303}o Ltda ☂ ").expect("a good name");
        assert_eq!(name.as_str(), "A\u{e7}\u{e3}o Ltda ☂");
    }

    #[test]
    fn a_name_that_reads_as_an_address_is_recognized() {
        for address in [
            "evil.example",
            "Prize! Claim at evil.example/now",
            "https://x",
            "HTTPS：//x",
            "WWW. example",
            "web3.zone",
            "evil。example",
            "evil．example",
            "evil\u{2024}example",
            "bücher.example",
            "пример.рф",
            "a@b.example",
            "evil\u{AD}.example",
            "evil\u{2060}.example",
            "evil.\u{200D}example",
            "evil.\u{FE0F}example",
            "evil\u{302}.example",
            "w\u{AD}ww. example",
            "203.0.113.7/login",
            "see 203.0.113.7",
            "=?utf-8?q?evil=2Eexample?=",
        ] {
            let name = Name::parse(address).expect("a name");
            assert!(name.reads_as_address(), "{address}");
        }
        for plain in [
            "Acme Corp.",
            "Acme Inc. of Ohio",
            "No. 5",
            "Größe & Söhne",
            "Web 2.0",
            "Release 1.2.3",
            "Café 7.5",
            "Why =/= how?",
            "…",
        ] {
            let name = Name::parse(plain).expect("a name");
            assert!(!name.reads_as_address(), "{plain}");
        }
    }

    #[test]
    fn what_reads_alike_is_one() {
        for name in ["ann", "Ann", "ann\u{200b}", "\u{ff41}nn", "a\u{ad}nn"] {
            assert_eq!(as_read(name), "ann", "{name:?}");
        }
        assert_eq!(as_read("\u{e4}nn"), as_read("a\u{308}nn"));
        assert_ne!(as_read("\u{e4}nn"), as_read("ann"));
    }

    #[test]
    fn a_name_has_edges() {
        assert!(Name::parse(&"x".repeat(200)).is_ok());
        assert_eq!(
            Name::parse(&"x".repeat(201)),
            Err(TextError::TooManyCharacters(200))
        );
        assert!(Name::parse(&"𝕏".repeat(200)).is_ok());
        assert_eq!(Name::parse("  "), Err(TextError::Empty));
        for invisible in [
            "\u{200B}",
            "\u{2060}\u{FEFF}",
            "\u{3164}",
            "\u{2800} \u{2800}",
            "\u{AD}",
            "\u{E0041}",
            "\u{301}",
            "\u{FE0F}",
            "\u{115F}\u{1160}",
            "\u{FFA0}",
            "\u{180E}",
            "\u{E01EF}",
        ] {
            assert_eq!(
                Name::parse(invisible),
                Err(TextError::Invisible),
                "{invisible:?}"
            );
        }
        for visible in ["a\u{200B}", "☂", "👩‍👩‍👧", "क्ष", "-", "\u{3164}x"] {
            assert!(Name::parse(visible).is_ok(), "{visible:?}");
        }
        for hidden in [
            '\0', '\n', '\u{7f}', '\u{85}', '\u{202E}', '\u{2066}', '\u{200F}', '\u{061C}',
        ] {
            let text = format!("a{hidden}b");
            assert_eq!(
                Name::parse(&text),
                Err(TextError::Control(hidden.into())),
                "{text:?}"
            );
        }
    }
}
