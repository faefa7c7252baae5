//! The JSON of lines, with members in order (docs/decision-log.md).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::chain::Chain;
use super::mask::Mask;
use super::shadow::ShadowAnswer;
use charter_authz::decision::{Denial, EvaluationError, Outcome};
use charter_authz::json::Uid;
use charter_domain::id::DecisionId;

/// Format version.
pub(super) const VERSION: u8 = 2;

/// A line other than a decision.
#[derive(Serialize)]
pub(super) struct LineBody<'a, T> {
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

#[derive(Serialize)]
pub(super) struct DecisionBody<'a> {
    pub(super) sequence: u64,
    pub(super) id: IdText,
    pub(super) request_id: &'a str,
    pub(super) case: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<ContextField<'a>>,
    /// Number of preceding decisions of the same kind that are only counted.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) rest: u64,
    pub(super) prev: &'a str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(rest: &u64) -> bool {
    *rest == 0
}

/// The context of a question.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ContextField<'a> {
    /// Number of a defined context; `now` follows from the time in the decision's id.
    Defined(u32),
    Whole(&'a RawValue),
}

/// Everything of a decision but its time, ids and context.
#[derive(Serialize)]
pub(super) struct CaseBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) via: Option<&'static str>,
    /// The domain of one's own that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) domain: Option<&'a str>,
    /// The principal's; a domain of one's own knows of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) organization: Option<&'a str>,
    pub(super) policy_digest: &'a str,
    pub(super) principal: &'a RawValue,
    pub(super) action: &'a ActionUid<'a>,
    pub(super) resource: &'a RawValue,
    pub(super) entities: EntitiesField<'a>,
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

/// Numbers of entities, or the text that masks all of them.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum EntitiesField<'a> {
    Numbers(Vec<u32>),
    Masked(&'a str),
}

#[derive(Serialize)]
pub(super) struct EntityBody<'a> {
    pub(super) entity: &'a RawValue,
}

#[derive(Serialize)]
pub(super) struct ContextBody<'a> {
    pub(super) context: &'a RawValue,
}

/// Decisions of a case that are only counted.
#[derive(Serialize)]
pub(super) struct UnwrittenBody {
    pub(super) case: u32,
    pub(super) count: u64,
}

pub(super) struct IdText(pub(super) DecisionId);

impl Serialize for IdText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize)]
pub(super) struct ActionUid<'a> {
    #[serde(rename = "type")]
    pub(super) of: Cow<'a, str>,
    pub(super) id: Cow<'a, str>,
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

/// The decision of the shadow policies, where it differs.
#[derive(Serialize)]
pub(super) struct ShadowBody<'a> {
    policy_digest: &'a str,
    decision: &'static str,
    reason: Option<&'static str>,
    determining: &'a [String],
}

impl<'a> From<&'a ShadowAnswer> for ShadowBody<'a> {
    fn from(other: &'a ShadowAnswer) -> Self {
        let (answer, reason) = outcome_words(other.verdict.outcome);
        Self {
            policy_digest: &other.policy_digest,
            decision: answer,
            reason,
            determining: &other.verdict.determining,
        }
    }
}

/// The first line of a file.
#[derive(Serialize)]
pub(super) struct FileBody<'a> {
    pub(super) file: u64,
    /// Number of the oldest file that is kept.
    pub(super) oldest: u64,
    pub(super) key: &'a str,
    pub(super) version: &'static str,
    /// Bytes at the end of the previous file that are no whole line.
    pub(super) unreadable_bytes: u64,
    /// The last sequence number that the head attests and no file has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) missing_through: Option<u64>,
    /// The head was missing or foreign.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) head_lost: bool,
    /// The first line of the previous file was not authentic, so an earlier one determines which files are kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) first_line_lost: bool,
}

impl<'a> FileBody<'a> {
    /// The first line of a file that follows another without anomalies.
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

/// The decision and its reason as text.
pub(super) const fn outcome_words(outcome: Outcome) -> (&'static str, Option<&'static str>) {
    match outcome {
        Outcome::Allow => ("allow", None),
        Outcome::Deny(Denial::NotPermitted) => ("deny", Some("not_permitted")),
        Outcome::Deny(Denial::ForbiddenByPolicy) => ("deny", Some("forbidden")),
    }
}

pub(super) fn not_evaluable_uid(of: &str, id: &str) -> Uid {
    Uid {
        of: of.to_owned(),
        id: id.to_owned(),
    }
}
