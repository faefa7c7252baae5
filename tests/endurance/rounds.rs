//! Which rounds of a long form are run.

use std::ops::Range;

/// All of so many, or those that `CHARTER_ENDURANCE_ROUNDS` names, as in `500..1000`: a long form can be run in
/// parts, and gone on with where it failed.
#[expect(
    clippy::disallowed_methods,
    reason = "a test runner passes nothing else to a test"
)]
pub(crate) fn rounds(all: usize) -> Range<usize> {
    let Ok(chosen) = std::env::var("CHARTER_ENDURANCE_ROUNDS") else {
        return 0..all;
    };
    let (first, end) = chosen.split_once("..").expect("a range, as in `500..1000`");
    let number = |text: &str| text.parse::<usize>().expect("a number");
    number(first).min(all)..number(end).min(all)
}
