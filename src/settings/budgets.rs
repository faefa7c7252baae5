//! The section `[budgets]`.

use super::reader::Reader;

/// What one organization may use of what everybody pays for; 0 is no limit, except for nonces.
#[derive(Debug)]
pub struct Budgets {
    /// Nonces remembered at the same time, in percent of all.
    pub nonces_percent: u8,
    /// Bytes of the decision log.
    pub decision_log_bytes_per_hour: u64,
    /// Bytes that changes add to the database.
    pub stored_bytes_per_day: u64,
    /// Transactions that change something.
    pub writes_per_hour: u64,
    /// Invitations of an organization younger than a day.
    pub invitations_first_day: u64,
    /// Invitations of any other.
    pub invitations_per_day: u64,
    /// Searches of records.
    pub searches_per_minute: u64,
    /// Searches under way or waiting.
    pub searches_at_once: u64,
    /// Passwords hashed.
    pub password_hashes_per_minute: u64,
}

/// A bound against slips of the pen; what is counted stays exact far beyond it.
const MOST: u64 = 1 << 50;

pub(super) fn read(reader: &mut Reader) -> Budgets {
    let mut amount = |key: &str| reader.number(&format!("budgets.{key}"), 0..=MOST);
    Budgets {
        decision_log_bytes_per_hour: amount("decision_log_bytes_per_hour"),
        stored_bytes_per_day: amount("stored_bytes_per_day"),
        writes_per_hour: amount("writes_per_hour"),
        invitations_first_day: amount("invitations_first_day"),
        invitations_per_day: amount("invitations_per_day"),
        searches_per_minute: amount("searches_per_minute"),
        searches_at_once: amount("searches_at_once"),
        password_hashes_per_minute: amount("password_hashes_per_minute"),
        // More than half would let two organizations shut everybody out.
        nonces_percent: reader.number("budgets.nonces_percent", 1..=50),
    }
}
