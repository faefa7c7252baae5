//! Page sizes.

use crate::extract::query::Query;
use crate::respond::ApiError;

pub(super) const DEFAULT_LIMIT: u64 = 50;
pub(super) const MAX_LIMIT: u64 = 200;

/// The parameter `limit`.
///
/// # Errors
///
/// `BAD_PARAMETER` unless it is a number from 1 to 200.
pub(super) fn limit(query: &mut Query) -> Result<u64, ApiError> {
    let limit = query.parsed("limit", |text| {
        let number = text.parse::<u64>().ok();
        let number = number.filter(|number| (1..=MAX_LIMIT).contains(number));
        number.ok_or_else(|| format!("must be an integer from 1 to {MAX_LIMIT}"))
    })?;
    Ok(limit.unwrap_or(DEFAULT_LIMIT))
}
