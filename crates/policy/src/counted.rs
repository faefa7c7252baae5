//! Numbers with what they count, for people.

use std::fmt::Display;

/// `1 file`, or `2 files`.
#[must_use]
pub fn counted(number: impl TryInto<u64> + Copy + Display, one: &str, many: &str) -> String {
    let is_one = number.try_into().is_ok_and(|number| number == 1);
    format!("{number} {}", if is_one { one } else { many })
}
