//! Bearer tokens in the settings.

/// In characters.
pub(super) const SHORTEST_TOKEN: usize = 32;

/// The characters of a bearer token (RFC 6750 section 2.1).
pub(super) fn of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}
