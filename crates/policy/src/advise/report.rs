//! The advice, as text and as data.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::subject::HeldGrants;
use crate::counted::counted;

/// Advice about one subject.
#[derive(Debug, Clone, Serialize)]
pub struct Advice {
    /// The subject.
    pub subject: String,
    /// The domain of one's own; `None` for the built-in one.
    pub domain: Option<String>,
    /// Start of the evaluated period.
    pub since: String,
    /// End of the evaluated period.
    pub until: String,
    /// The logs that were read.
    pub logs: Vec<JudgedLogEnd>,
    /// Recorded decisions of the period: the domain's, or the service account's.
    pub decisions: u64,
    /// Further allowed ones, which the log only counts.
    pub counted: u64,
    /// Allowed decisions that were evaluated again, and are still allowed.
    pub allowed: u64,
    /// Those of them from the evaluation endpoint.
    pub evaluations: u64,
    /// Allowed decisions that the folder denies now.
    pub denied_now: u64,
    /// The policies of the subject, or one entry for all of a service account's grants.
    pub uses: Vec<PolicyUse>,
    /// The verdict on the narrower version.
    pub verdict: AdviceVerdict,
    /// Whether the verdict covers decisions that the log only counts.
    pub counted_shown: bool,
    /// Permissions that it narrows, according to the solver.
    pub narrowed: Vec<String>,
    /// Version of the solver.
    pub solver: Option<String>,
    /// Examples of the folder that it breaks.
    pub broken_examples: Vec<String>,
    /// A unified diff; empty if nothing can be removed.
    pub diff: String,
    /// What to grant a service account instead, as the body of a PATCH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<HeldGrants>,
    /// Notes.
    pub notes: Vec<String>,
}

/// A log and its end: later decisions of its replica are not known.
#[derive(Debug, Clone, Serialize)]
pub struct JudgedLogEnd {
    /// Its directory.
    pub log: String,
    /// Time of its last line.
    pub ends: String,
}

/// A grant, and how much of it was used.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyUse {
    /// The `@id`; `None` for the grants of a service account.
    pub policy: Option<String>,
    /// File and line.
    pub place: Option<String>,
    /// The allowed decisions, by permission.
    pub used: Vec<UseCount>,
    /// Granted, and never used.
    pub never: Vec<String>,
}

/// The number of allowed decisions of a permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UseCount {
    /// Its name.
    pub permission: String,
    /// Includes those that the log only counts.
    pub count: u64,
}

impl UseCount {
    pub(super) fn all<'n>(counts: impl Iterator<Item = (&'n str, u64)>) -> Vec<Self> {
        let count = |(name, count): (&str, u64)| Self {
            permission: name.to_owned(),
            count,
        };
        counts.map(count).collect()
    }
}

/// The verdict on a narrower version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "why")]
pub enum AdviceVerdict {
    /// Everything was used, or what was not cannot be narrowed.
    NothingToLeaveOut,
    /// Proved to allow nothing more, and replayed to allow everything that was allowed.
    Narrower,
    /// No narrower version was found that is proved and sufficient.
    NotFound(String),
}

impl Display for Advice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let of = match &self.domain {
            Some(domain) => format!("{} of the domain `{domain}`", self.subject),
            None => self.subject.clone(),
        };
        writeln!(f, "{of}, {} to {}", self.since, self.until)?;
        writeln!(
            f,
            "{} on record and {} more counted; {} asked again",
            counted(self.decisions, "decision", "decisions"),
            self.counted,
            counted(self.allowed, "allowed one", "allowed ones")
        )?;
        if self.logs.len() > 1 {
            for JudgedLogEnd { log, ends } in &self.logs {
                writeln!(f, "`{log}` ends at {ends}")?;
            }
        }
        for uses in &self.uses {
            uses.fmt(f)?;
        }
        self.write_notes(f)?;
        match &self.verdict {
            AdviceVerdict::NothingToLeaveOut => writeln!(f, "nothing to leave out"),
            AdviceVerdict::NotFound(why) => writeln!(f, "nothing advised: {why}"),
            AdviceVerdict::Narrower => self.write_narrower(f),
        }
    }
}

impl Advice {
    fn write_notes(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.evaluations > 0 {
            let count = self.evaluations;
            writeln!(
                f,
                "note: of all decisions on record, {count} only answered an evaluation; they count as uses"
            )?;
        }
        if self.denied_now > 0 {
            let count = self.denied_now;
            writeln!(
                f,
                "note: {count} were allowed then, and the policies as they are deny them"
            )?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }

    fn write_narrower(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let solver = self.solver.as_deref().unwrap_or_default();
        writeln!(
            f,
            "narrower: proved by cvc5 {solver}; less is allowed of {}",
            listed(&self.narrowed)
        )?;
        writeln!(
            f,
            "enough: each of the {} allowed decisions is still allowed",
            self.allowed
        )?;
        match self.counted {
            0 => {}
            _ if self.counted_shown => writeln!(
                f,
                "        and so are the counted ones, each of which has the caller, the permission and the resource of one that was asked"
            )?,
            counted => writeln!(
                f,
                "        not shown for the {counted} counted ones: policies read the context, which is not on record"
            )?,
        }
        for example in &self.broken_examples {
            writeln!(f, "example to change: {example}")?;
        }
        write!(f, "\n{}", self.diff)?;
        if let Some(patch) = &self.patch {
            let body = serde_json::to_string(patch).map_err(|_| fmt::Error)?;
            writeln!(f, "\nPATCH /service-accounts/{} {body}", patch.id)?;
        }
        Ok(())
    }
}

impl Display for PolicyUse {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let (Some(policy), Some(place)) = (&self.policy, &self.place) {
            writeln!(f, "`{policy}` ({place})")?;
        }
        for UseCount { permission, count } in &self.used {
            writeln!(
                f,
                "  used {}  {permission}",
                counted(*count, "time", "times")
            )?;
        }
        for what in &self.never {
            writeln!(f, "  never used  {what}")?;
        }
        Ok(())
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        // Another policy permits the same requests.
        return "nothing, as other policies permit it".to_owned();
    }
    names.join(", ")
}
