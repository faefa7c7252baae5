//! The section `[budgets]`: what one organization may use of what everybody pays for.

use std::time::Duration;

use super::reader::Reader;
use charter_budgets::{Resource, Share};

/// Passwords that are hashed for one person in a minute, however few its organization may have hashed:
/// changing one takes two.
const FEWEST_HASHES: u64 = 4;

/// One person's share of the passwords that are hashed for its organization in a minute: a quarter, so
/// that the others can still sign in. Zero is no limit.
pub(super) fn password_hashes_of_one(shares: &[(Resource, Share)]) -> usize {
    let of_all = shares.iter().find_map(|(resource, share)| match share {
        Share::PerTime { amount, .. } if *resource == Resource::PasswordHashes => Some(*amount),
        _ => None,
    });
    let of_one = of_all.map_or(0, |of_all| (of_all / 4).max(FEWEST_HASHES));
    usize::try_from(of_one).unwrap_or(usize::MAX)
}

/// A bound against slips of the pen; what is counted stays exact far beyond it.
const MOST: u64 = 1 << 50;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Each key with its resource and the time that it is for; without one it is so many at the same time.
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

/// The shares; 0 is no limit. Nonces are bounded by the replay guard.
pub(super) fn read(reader: &mut Reader) -> Vec<(Resource, Share)> {
    let mut shares = Vec::new();
    for (key, resource, per) in KEYS {
        let amount = reader.number(&format!("budgets.{key}"), 0..=MOST);
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
