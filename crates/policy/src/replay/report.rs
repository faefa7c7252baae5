//! The result of a replay, summed over its threads.

use std::collections::BTreeMap;

use charter_authz::snapshot::Snapshot;
use charter_decision_log::Direction;
use serde::Serialize;

/// Examples per group.
const EXAMPLES: usize = 3;

/// Earlier policies by domain, the built-in one's name being empty, and by the digest that decisions
/// name.
pub type EarlierSnapshots = BTreeMap<String, BTreeMap<String, Snapshot>>;

/// What recorded decisions are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayMode {
    /// A candidate: which decisions flip?
    Candidate,
    /// The policies that decided: outcome, determining policies and errors must be the recorded
    /// ones.
    Reproduce,
}

/// The result of a replay.
#[derive(Debug, Default, Serialize)]
pub struct ReplayReport {
    /// Recorded decisions that were read.
    pub decisions: u64,
    /// Further allowed decisions that the log only counts.
    pub counted: u64,
    /// Decisions of the evaluation endpoint.
    pub evaluations: u64,
    /// Decisions that were evaluated again.
    pub replayed: u64,
    /// Decisions with another outcome.
    pub flips: u64,
    /// Flips among the decisions of the evaluation endpoint.
    pub evaluation_flips: u64,
    /// Decisions with the same outcome for another reason or by other policies; failures when
    /// reproducing.
    pub other_reasons: u64,
    /// Masked records, which cannot be evaluated again.
    pub masked: u64,
    /// Questions that the schema did not allow, then and now, and that are denied for it.
    pub unaskable: u64,
    /// Questions that cannot be evaluated as they were: the schema lacks their types or names, or
    /// allows them now and their facts were not recorded.
    pub unasked: u64,
    /// Decisions of other policies, by digest; not replayed when reproducing.
    pub other_policies: BTreeMap<String, u64>,
    /// Decisions of the built-in domain, if only others were asked.
    pub built_in_left_out: u64,
    /// Decisions of domains of one's own that were not asked, by name.
    pub domains_left_out: BTreeMap<String, u64>,
    /// Lines that could not be read.
    pub unreadable: u64,
    /// Locations of the first of them.
    pub unreadable_examples: Vec<String>,
    /// Incomplete last lines: a process died or is writing.
    pub unfinished: u64,
    /// The flips, grouped.
    #[serde(serialize_with = "as_list")]
    pub groups: BTreeMap<Flip, FlipGroup>,
}

/// What the flips of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Flip {
    /// The domain of one's own; `None` for the built-in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The requested permission.
    pub permission: String,
    /// How the decisions differ.
    pub direction: Direction,
    /// The principal.
    pub principal: String,
    /// `evaluation` for decisions of the evaluation endpoint, `forward_auth` for those of gateways.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

/// A group of flips.
#[derive(Debug, Default, Serialize)]
pub struct FlipGroup {
    /// Number of flips.
    pub count: u64,
    /// The first few.
    pub examples: Vec<FlipExample>,
}

/// A decision that flips.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlipExample {
    /// `dec-…`
    pub id: String,
    /// Time of the decision.
    pub at: String,
    /// The resource.
    pub resource: String,
    /// The recorded outcome and its policies.
    pub recorded: String,
    /// The outcome now and its policies.
    pub now: String,
}

impl ReplayReport {
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
        self.built_in_left_out += part.built_in_left_out;
        for (all, part) in [
            (&mut self.other_policies, part.other_policies),
            (&mut self.domains_left_out, part.domains_left_out),
        ] {
            for (name, count) in part {
                *all.entry(name).or_default() += count;
            }
        }
        for (flip, part) in part.groups {
            let group = self.groups.entry(flip).or_default();
            group.count += part.count;
            group.examples.extend(part.examples);
            // Keep the earliest examples, whichever thread found them.
            group.examples.sort_by(|one, other| one.id.cmp(&other.id));
            group.examples.truncate(EXAMPLES);
        }
    }

    pub(super) fn flip(&mut self, flip: Flip, example: impl FnOnce() -> FlipExample) {
        let group = self.groups.entry(flip).or_default();
        group.count += 1;
        if group.examples.len() < EXAMPLES {
            group.examples.push(example());
        }
    }

    /// Counts a decision of a domain that is not asked.
    pub(super) fn left_out(&mut self, domain: Option<&str>) {
        let Some(name) = domain else {
            self.built_in_left_out += 1;
            return;
        };
        match self.domains_left_out.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                self.domains_left_out.insert(name.to_owned(), 1);
            }
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
struct FlipRow<'a> {
    #[serde(flatten)]
    flip: &'a Flip,
    #[serde(flatten)]
    group: &'a FlipGroup,
}

fn as_list<S: serde::Serializer>(
    groups: &BTreeMap<Flip, FlipGroup>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(groups.iter().map(|(flip, group)| FlipRow { flip, group }))
}
