//! What a running service does to its files: the calls that are made to fail.

use std::path::PathBuf;

use test_support::services::faults::Call;

/// A call, a pattern for paths, and a bound on how many of such calls succeed before one fails.
pub(super) type Target = (Call, &'static str, u32);

/// `audit-heads.jsonl`, `decision-head.json` and `replay/tally` are opened by a start only (`starting.rs`).
pub(super) const TARGETS: [Target; 39] = [
    // A transaction takes some dozens.
    (Call::Write, "*/charter.db-wal", 60),
    (Call::Sync, "*/charter.db-wal", 8),
    (Call::SyncAndOpen, "*/charter.db-wal", 1),
    (Call::SyncAndOpen, "*/charter.db*", 1),
    // Checkpoints.
    (Call::Write, "*/charter.db", 40),
    (Call::Sync, "*/charter.db", 2),
    (Call::Write, "*/replay/*.journal", 20),
    (Call::Write, "*/replay/tally", 20),
    // Half a minute begins.
    (Call::Open, "*/replay/.*.new", 1),
    (Call::Write, "*/replay/.*.new", 1),
    (Call::Sync, "*/replay/.*.new", 1),
    (Call::Open, "*/replay/*.journal", 1),
    (Call::Name, "*/replay/*.journal", 1),
    (Call::Name, "*/replay/state.json", 1),
    (Call::Open, "*/replay", 1),
    (Call::Sync, "*/replay", 1),
    (Call::Write, "*/audit-heads.jsonl", 10),
    (Call::Sync, "*/audit-heads.jsonl", 2),
    (Call::Write, "*/decisions/decisions-*.jsonl", 10),
    (Call::Sync, "*/decisions/decisions-*.jsonl", 2),
    (Call::Open, "*/decisions/decisions-*.jsonl", 2),
    (Call::Open, "*/decisions/.decisions-*.jsonl.*.new", 2),
    (Call::Write, "*/decisions/.decisions-*.jsonl.*.new", 2),
    (Call::Sync, "*/decisions/.decisions-*.jsonl.*.new", 2),
    (Call::Name, "*/decisions/decisions-*.jsonl", 2),
    (Call::Open, "*/decisions", 2),
    (Call::Sync, "*/decisions", 2),
    (Call::Open, "*/decisions/.decisions-*.index.*.new", 2),
    (Call::Write, "*/decisions/.decisions-*.index.*.new", 2),
    (Call::Sync, "*/decisions/.decisions-*.index.*.new", 2),
    (Call::Name, "*/decisions/decisions-*.index", 2),
    (Call::Write, "*/decision-head.json", 10),
    (Call::Sync, "*/decision-head.json", 2),
    (Call::Open, "*/mail/*.new", 1),
    (Call::Write, "*/mail/*.new", 1),
    (Call::Sync, "*/mail/*.new", 1),
    (Call::Name, "*/mail/*.eml", 1),
    (Call::Open, "*/mail", 1),
    (Call::Sync, "*/mail", 1),
];

/// What the check of an edited policy folder does.
pub(super) const PROOFS: [Target; 7] = [
    (Call::Open, "*/policies/proofs/.*.new", 1),
    (Call::Write, "*/policies/proofs/.*.new", 1),
    (Call::Sync, "*/policies/proofs/.*.new", 1),
    (Call::Name, "*/policies/proofs/*", 1),
    (Call::Open, "*/policies/proofs", 1),
    (Call::Sync, "*/policies/proofs", 1),
    (Call::Open, "*/policies/proofs/claims", 1),
];

/// What is done once in the life of a data directory: the first mail makes a directory.
pub(super) const AT_FIRST: [Target; 3] = [
    (Call::Name, "*/mail", 1),
    (Call::Open, "*/data", 1),
    (Call::Sync, "*/data", 1),
];

/// Those that come without waiting for half a minute, and one of a kind.
pub(super) const SOME: [Target; 6] = [
    (Call::SyncAndOpen, "*/charter.db-wal", 1),
    (Call::Write, "*/audit-heads.jsonl", 10),
    (Call::Write, "*/decisions/decisions-*.jsonl", 10),
    (Call::Write, "*/charter.db-wal", 60),
    (Call::Name, "*/mail/*.eml", 1),
    (Call::Write, "*/replay/*.journal", 20),
];

/// Those whose files there are on PostgreSQL, too.
pub(super) fn without_database(targets: &[Target]) -> Vec<Target> {
    let of_service = targets.iter().filter(|it| !it.1.contains("charter.db"));
    of_service.copied().collect()
}

pub(super) fn is_of((call, path): &(Call, PathBuf), target: &Target) -> bool {
    let path = path.display().to_string();
    let (before, end) = target.1.rsplit_once('*').expect("a pattern");
    let mut parts = before.split('*');
    target.0.includes(*call) && path.ends_with(end) && parts.all(|part| path.contains(part))
}
