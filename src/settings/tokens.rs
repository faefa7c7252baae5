//! Bearer tokens in the settings.

/// What nobody guesses, in characters.
pub(super) const SHORTEST_TOKEN: usize = 32;

/// RFC 6750 section 2.1: what a bearer token consists of.
pub(super) fn of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}
