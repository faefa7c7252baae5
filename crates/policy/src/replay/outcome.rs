//! What a replay showed, added up over its threads.

use std::collections::BTreeMap;

use charter_authz::snapshot::Snapshot;
use serde::Serialize;

/// How many examples a group keeps.
const EXAMPLES: usize = 3;

/// Policies that were in force earlier, by the digest that decisions name.
pub type Earlier = BTreeMap<String, Snapshot>;

/// What the records are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Policies that might come into force: what flips?
    Candidate,
    /// The policies that decided: answer, determining policies and errors must be the recorded
    /// ones.
    Reproduce,
}

/// What a replay showed.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    /// Recorded decisions that were read.
    pub decisions: u64,
    /// Allowed ones of the same kinds, which are counted in the log and not on record one by one.
    pub counted: u64,
    /// Those that were only asked about, through the evaluation endpoint.
    pub evaluations: u64,
    /// Those that were asked again.
    pub replayed: u64,
    /// Those with another answer.
    pub flips: u64,
    /// Those of them that were only asked about.
    pub evaluation_flips: u64,
    /// Those with the same answer, for another reason or by other policies; flips when reproducing.
    pub other_reasons: u64,
    /// Masked records: they cannot be asked again as they were.
    pub masked: u64,
    /// Questions that could not be put, then or now, and are denied by that.
    pub unaskable: u64,
    /// Questions that cannot be put as they were: the schema does not know their types or names,
    /// or lets them be asked now and their facts are not on record.
    pub unasked: u64,
    /// Decisions of other policies, by digest; not asked again when reproducing.
    pub other_policies: BTreeMap<String, u64>,
    /// Lines, or parts of them, that could not be read, the first few with their place.
    pub unreadable: u64,
    /// Where the first of them are.
    pub unreadable_examples: Vec<String>,
    /// Last lines that are not whole: a process died, or is writing.
    pub unfinished: u64,
    /// What flipped.
    #[serde(serialize_with = "as_list")]
    pub groups: BTreeMap<Flip, Group>,
}

/// What flips have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Flip {
    /// What was asked for.
    pub permission: String,
    /// `wider`, `narrower`, or `reason` where only that differs.
    pub direction: &'static str,
    /// Who asked.
    pub principal: String,
    /// `evaluation` where it was only asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

/// Flips with much in common.
#[derive(Debug, Default, Serialize)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// The first few.
    pub examples: Vec<Example>,
}

/// A decision that flips.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// `dec-…`
    pub id: String,
    /// When.
    pub at: String,
    /// About what.
    pub resource: String,
    /// The recorded answer and its policies.
    pub recorded: String,
    /// The answer now and its policies.
    pub now: String,
}

impl Outcome {
    pub(super) fn add(&mut self, part: Self) {
        self.decisions += part.decisions;
        self.counted += part.counted;
        self.evaluations += part.evaluations;
        self.replayed += part.replayed;
        self.flips += part.flips;
        self.evaluation_flips += part.evaluation_flips;
        self.other_reasons += part.other_reasons;
        self.masked += part.masked;
        self.unaskable += part.unaskable;
        self.unasked += part.unasked;
        self.unreadable += part.unreadable;
        self.unfinished += part.unfinished;
        self.unreadable_examples.extend(part.unreadable_examples);
        self.unreadable_examples.truncate(EXAMPLES);
        for (digest, count) in part.other_policies {
            *self.other_policies.entry(digest).or_default() += count;
        }
        for (flip, part) in part.groups {
            let group = self.groups.entry(flip).or_default();
            group.count += part.count;
            group.examples.extend(part.examples);
            // Threads share the work by chance; the earliest are shown whoever found them.
            group.examples.sort_by(|one, other| one.id.cmp(&other.id));
            group.examples.truncate(EXAMPLES);
        }
    }

    pub(super) fn flip(&mut self, flip: Flip, example: impl FnOnce() -> Example) {
        let group = self.groups.entry(flip).or_default();
        group.count += 1;
        if group.examples.len() < EXAMPLES {
            group.examples.push(example());
        }
    }

    pub(super) fn unreadable(&mut self, place: String) {
        self.unreadable += 1;
        if self.unreadable_examples.len() < EXAMPLES {
            self.unreadable_examples.push(place);
        }
    }
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    flip: &'a Flip,
    #[serde(flatten)]
    group: &'a Group,
}

fn as_list<S: serde::Serializer>(
    groups: &BTreeMap<Flip, Group>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(groups.iter().map(|(flip, group)| Row { flip, group }))
}
