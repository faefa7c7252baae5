//! Points in time: one output format and one strict input grammar (contract sections 1 and 3).

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

/// A point in time, UTC.
pub type Timestamp = DateTime<Utc>;

/// The ECMA-262 pattern closest to [`parse`].
pub const PATTERN: &str =
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$";

/// The text is not `YYYY-MM-DDTHH:MM:SS` with 0 to 9 fraction digits and `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `YYYY-MM-DDTHH:MM:SSZ`, in UTC, with at most 9 fraction digits")]
pub struct MalformedTimestamp;

/// Formats as `YYYY-MM-DDTHH:MM:SSZ`, whole seconds.
#[must_use]
pub fn format(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Formats as `YYYY-MM-DDTHH:MM:SS.mmmZ`, whole milliseconds.
#[must_use]
pub fn format_millis(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Formats as `YYYY-MM-DDTHH:MM:SS.mmmmmmZ`, which is as exact as what is stored.
#[must_use]
pub fn format_micros(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Parses `YYYY-MM-DDTHH:MM:SS[.f{1,9}]Z` and nothing else: no offset, no lowercase, no leap second.
pub fn parse(text: &str) -> Result<Timestamp, MalformedTimestamp> {
    let shape_is_right = text.len() <= "2025-09-30T12:00:00.123456789Z".len()
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            19 => byte == if text.len() == 20 { b'Z' } else { b'.' },
            _ if at + 1 == text.len() => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
        && (text.len() == 20 || text.len() >= 22)
        // A second of 60 is a leap second, which `x-date` does not allow.
        && text.get(17..19) != Some("60");
    if !shape_is_right {
        return Err(MalformedTimestamp);
    }
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.to_utc())
        .map_err(|_| MalformedTimestamp)
}

/// The last second that [`format`] and [`parse`] support and that both databases sort correctly.
#[must_use]
pub const fn latest() -> Timestamp {
    match DateTime::from_timestamp(253_402_300_799, 0) {
        Some(at) => at,
        None => DateTime::<Utc>::MAX_UTC,
    }
}

/// Truncates to microseconds, the precision of both databases.
#[must_use]
pub fn to_stored_precision(at: Timestamp) -> Timestamp {
    at.trunc_subsecs(6)
}

/// As answers write it: whole seconds.
#[must_use]
pub fn to_seconds(at: Timestamp) -> Timestamp {
    at.trunc_subsecs(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_exact() {
        for good in [
            "2025-09-30T12:00:00Z",
            "2025-09-30T12:00:00.5Z",
            "2024-02-29T23:59:59.123456789Z",
        ] {
            assert!(parse(good).is_ok(), "`{good}` was refused");
        }
        for bad in [
            "",
            "Z",
            "2025-09-30",
            "2025-09-30T12:00:00",
            "2025-09-30T12:00:00z",
            "2025-09-30t12:00:00Z",
            "2025-09-30 12:00:00Z",
            "2025-09-30T12:00:00+00:00",
            "2025-09-30T12:00:00.Z",
            "2025-09-30T12:00:00.1234567890Z",
            "2025-09-30T12:00:60Z",
            "2025-09-30T24:00:00Z",
            "2025-02-29T12:00:00Z",
            "2025-13-01T12:00:00Z",
            "2025-00-01T12:00:00Z",
            "10000-01-01T00:00:00Z",
            "+2025-09-30T12:00:00Z",
            "-025-09-30T12:00:00Z",
            "2025-W40-2T12:00:00Z",
            "2025-09-30T12:00Z",
            "2025-09-30T12:00:00Z ",
            " 2025-09-30T12:00:00Z",
            "2025-09-30T12:00:00,5Z",
            "２025-09-30T12:00:00Z",
            "Tue, 30 Sep 2025 12:00:00 GMT",
            "1759233600",
        ] {
            assert!(parse(bad).is_err(), "`{bad}` was read");
        }
    }

    #[test]
    fn times_are_written_in_whole_seconds() {
        let at = parse("2025-09-30T12:00:00.987Z").expect("well-formed");
        assert_eq!(format(at), "2025-09-30T12:00:00Z");
        assert_eq!(format(latest()), "9999-12-31T23:59:59Z");
    }
}
