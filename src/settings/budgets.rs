//! The section `[budgets]`: each organization's share of shared resources.

use std::time::Duration;

use super::reader::Reader;
use charter_budgets::{Resource, Share};

/// Minimum of password hashes for one user in a minute, whatever the organization's share; a password change takes
/// two.
const MIN_HASHES: u64 = 4;

/// One user's share of the organization's password hashes in a minute: a quarter, so that others can still sign
/// in. Zero is no limit.
pub(super) fn password_hashes_of_one(shares: &[(Resource, Share)]) -> usize {
    let of_all = shares.iter().find_map(|(resource, share)| match share {
        Share::PerTime { amount, .. } if *resource == Resource::PasswordHashes => Some(*amount),
        _ => None,
    });
    let of_one = of_all.map_or(0, |of_all| (of_all / 4).max(MIN_HASHES));
    usize::try_from(of_one).unwrap_or(usize::MAX)
}

/// Rejects typing errors; counting is exact far beyond it.
const MAX_AMOUNT: u64 = 1 << 50;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Each key with its resource and period; without a period it limits concurrent use.
const KEYS: [(&str, Resource, Option<Duration>); 8] = [
    (
        "decision_log_bytes_per_hour",
        Resource::DecisionLogBytes,
        Some(HOUR),
    ),
    ("stored_bytes_per_day", Resource::StoredBytes, Some(DAY)),
    ("writes_per_hour", Resource::Writes, Some(HOUR)),
    (
        "invitations_first_day",
        Resource::InvitationsFirstDay,
        Some(DAY),
    ),
    ("invitations_per_day", Resource::Invitations, Some(DAY)),
    ("searches_per_minute", Resource::Searches, Some(MINUTE)),
    ("searches_at_once", Resource::SearchesAtOnce, None),
    (
        "password_hashes_per_minute",
        Resource::PasswordHashes,
        Some(MINUTE),
    ),
];

/// The shares; 0 is no limit. The replay guard limits nonces.
pub(super) fn read(reader: &mut Reader) -> Vec<(Resource, Share)> {
    let mut shares = Vec::new();
    for (key, resource, per) in KEYS {
        let amount = reader.number(&format!("budgets.{key}"), 0..=MAX_AMOUNT);
        if amount > 0 {
            let share = match per {
                Some(per) => Share::PerTime { amount, per },
                None => Share::AtOnce(amount),
            };
            shares.push((resource, share));
        }
    }
    shares
}
