//! What lines say, in the order in which they say it (docs/decision-log.md).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::chain::Chain;
use super::mask::Mask;
use charter_authz::decision::{Decision, Denial, EvaluationError, Outcome};
use charter_authz::json::Uid;
use charter_domain::id::DecisionId;

/// The version of the format.
pub(super) const VERSION: u8 = 2;

/// A line that is no decision.
#[derive(Serialize)]
pub(super) struct Line<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) v: Option<u8>,
    pub(super) sequence: u64,
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<String>,
    #[serde(flatten)]
    pub(super) body: T,
    pub(super) prev: &'a str,
}

/// A decision.
#[derive(Serialize)]
pub(super) struct DecisionBody<'a> {
    pub(super) sequence: u64,
    pub(super) id: Display,
    pub(super) request_id: &'a str,
    pub(super) case: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<Facts<'a>>,
    /// Of the same kind, before it, that are only counted.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) rest: u64,
    pub(super) prev: &'a str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(rest: &u64) -> bool {
    *rest == 0
}

/// The facts around a question.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Facts<'a> {
    /// Of a context that was defined; `now` is the second of the decision's id.
    Defined(u32),
    Whole(&'a RawValue),
}

/// All of a decision but its time, its ids and the facts of its moment.
#[derive(Serialize)]
pub(super) struct CaseBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) via: Option<&'static str>,
    pub(super) organization: &'a str,
    pub(super) policy_digest: &'a str,
    pub(super) principal: &'a RawValue,
    pub(super) action: Action<'a>,
    pub(super) resource: &'a RawValue,
    pub(super) entities: Entities<'a>,
    pub(super) decision: &'static str,
    pub(super) reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<&'a str>,
    pub(super) determining: &'a [String],
    pub(super) errors: Vec<ErrorBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shadow: Option<ShadowBody<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) masked: Vec<&'a str>,
}

/// Numbers of entities, or what stands in the place of all of them.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Entities<'a> {
    Numbers(Vec<u32>),
    Masked(&'a str),
}

/// What an entity or a context is.
#[derive(Serialize)]
pub(super) struct EntityBody<'a> {
    pub(super) entity: &'a RawValue,
}

/// A context without `now`.
#[derive(Serialize)]
pub(super) struct ContextBody<'a> {
    pub(super) context: &'a RawValue,
}

/// Decisions of a case that are not written one by one.
#[derive(Serialize)]
pub(super) struct RestBody {
    pub(super) case: u32,
    pub(super) count: u64,
}

pub(super) struct Display(pub(super) DecisionId);

impl Serialize for Display {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize)]
pub(super) struct Action<'a> {
    #[serde(rename = "type")]
    pub(super) of: &'static str,
    pub(super) id: &'a str,
}

#[derive(Serialize)]
pub(super) struct ErrorBody<'a> {
    policy: &'a str,
    message: Cow<'a, str>,
}

impl<'a> ErrorBody<'a> {
    pub(super) fn new(error: &'a EvaluationError, mask: &Mask, chain: &Chain) -> Self {
        Self {
            policy: &error.policy,
            message: mask.message(&error.message, chain),
        }
    }
}

/// What the shadow set answers where it answers something else.
#[derive(Serialize)]
pub(super) struct ShadowBody<'a> {
    policy_digest: &'a str,
    decision: &'static str,
    reason: Option<&'static str>,
    determining: &'a [String],
}

impl<'a> From<&'a Decision> for ShadowBody<'a> {
    fn from(decision: &'a Decision) -> Self {
        let (answer, reason) = words(decision.outcome);
        Self {
            policy_digest: &decision.policy_digest,
            decision: answer,
            reason,
            determining: &decision.determining,
        }
    }
}

/// The first line of a file.
#[derive(Serialize)]
pub(super) struct FileBody<'a> {
    pub(super) file: u64,
    /// The oldest file that is kept.
    pub(super) oldest: u64,
    pub(super) key: &'a str,
    pub(super) version: &'static str,
    /// Bytes at the end of the file before that are no whole line.
    pub(super) unreadable_bytes: u64,
    /// The last sequence that a head attests and that no file has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) missing_through: Option<u64>,
    /// There was no head to hold the files before against, or not theirs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) head_lost: bool,
    /// The first line of the file before was not authentic, so another one said what is kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) first_line_lost: bool,
}

impl<'a> FileBody<'a> {
    /// Of a file that follows another as it should.
    pub(super) const fn following(file: u64, oldest: u64, key: &'a str) -> Self {
        Self {
            file,
            oldest,
            key,
            version: env!("CARGO_PKG_VERSION"),
            unreadable_bytes: 0,
            missing_through: None,
            head_lost: false,
            first_line_lost: false,
        }
    }
}

/// Decisions that were not written.
#[derive(Serialize)]
pub(super) struct GapBody {
    pub(super) lost: u64,
    pub(super) since: String,
    pub(super) until: String,
}

/// An answer, and why not.
pub(super) const fn words(outcome: Outcome) -> (&'static str, Option<&'static str>) {
    match outcome {
        Outcome::Allow => ("allow", None),
        Outcome::Deny(Denial::NotPermitted) => ("deny", Some("not_permitted")),
        Outcome::Deny(Denial::ForbiddenByPolicy) => ("deny", Some("forbidden")),
    }
}

/// What could not be asked, by name.
pub(super) fn unaskable(of: &str, id: &str) -> Uid {
    Uid {
        of: of.to_owned(),
        id: id.to_owned(),
    }
}
