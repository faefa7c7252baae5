//! What a line says, in the order in which it says it (docs/decision-log.md).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::chain::{self, Chain, Mac};
use super::entry::{Entry, Subject};
use super::fragments::{Contexts, Fault, OfPrincipal, Uid, without_actions};
use super::mask::{Mask, Parts};
use super::queue::Lost;
use crate::authz::decision::{Decision, Denial, EvaluationError, Outcome};
use crate::authz::principal::Principal;
use crate::domain::id::DecisionId;
use crate::domain::timestamp::{self, Timestamp};

/// The version of the format.
pub(super) const VERSION: u8 = 1;

/// What every line begins with.
#[derive(Serialize)]
struct Line<'a, T> {
    v: u8,
    sequence: u64,
    kind: &'static str,
    at: &'a str,
    #[serde(flatten)]
    body: T,
    prev: &'a str,
}

/// A decision.
#[derive(Serialize)]
struct DecisionBody<'a> {
    v: u8,
    sequence: u64,
    kind: &'static str,
    at: &'a str,
    id: Display,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<&'static str>,
    organization: &'a str,
    policy_digest: &'a str,
    principal: &'a RawValue,
    action: Action<'a>,
    resource: &'a RawValue,
    context: Option<&'a RawValue>,
    entities: &'a RawValue,
    decision: &'static str,
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    determining: &'a [String],
    errors: Vec<ErrorBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<ShadowBody<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    masked: Vec<&'a str>,
    prev: &'a str,
}

struct Display(DecisionId);

impl Serialize for Display {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize)]
struct Action<'a> {
    #[serde(rename = "type")]
    of: &'static str,
    id: &'a str,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    policy: &'a str,
    message: Cow<'a, str>,
}

/// What the shadow set answers where it answers something else.
#[derive(Serialize)]
struct ShadowBody<'a> {
    policy_digest: &'a str,
    decision: &'static str,
    reason: Option<&'static str>,
    determining: &'a [String],
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

/// Decisions that were not written.
#[derive(Serialize)]
struct GapBody {
    lost: u64,
    since: String,
    until: String,
}

/// Where the chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Of the last line.
    pub(super) sequence: u64,
    /// Of the last line.
    pub(super) mac: Mac,
}

/// Writes lines one after the other.
pub(super) struct Renderer {
    pub(super) chain: Chain,
    pub(super) position: Position,
    mask: Mask,
    contexts: Contexts,
    /// The second that was written last, and how.
    second: (i64, String),
}

impl Renderer {
    pub(super) fn new(chain: Chain, position: Position, mask: Mask) -> Self {
        Self {
            chain,
            position,
            mask,
            contexts: Contexts::default(),
            second: (i64::MIN, String::new()),
        }
    }

    /// Appends a decision; `shadow` is what the other set answers, if that is something else.
    pub(super) fn decision(
        &mut self,
        entry: &Entry,
        shadow: Option<&Decision>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let start = out.len();
        let written = self.write_decision(entry, shadow, out);
        if written.is_err() {
            out.truncate(start);
        }
        written?;
        self.close(start, out);
        Ok(())
    }

    /// Who asked, for the service's log: it is as masked there as here.
    pub(super) fn principal(&self, entry: &Entry) -> String {
        let id = entry.principal.caller().principal_id();
        let is_resource = entry.subject.is_about(&id);
        self.mask.principal(id, is_resource, &self.chain)
    }

    /// An error of writing an entry down, for the service's log.
    pub(super) fn fault<'a>(&self, fault: &'a str) -> Cow<'a, str> {
        self.mask.message(fault, &self.chain)
    }

    /// Appends the first line of a file.
    pub(super) fn file(&mut self, at: Timestamp, body: FileBody<'_>, out: &mut Vec<u8>) {
        self.simple("file", at, body, out);
    }

    /// Appends a line that says how many decisions were not written.
    pub(super) fn gap(&mut self, at: Timestamp, lost: Lost, out: &mut Vec<u8>) {
        let body = GapBody {
            lost: lost.count,
            since: timestamp::format_millis(lost.since),
            until: timestamp::format_millis(lost.until),
        };
        self.simple("gap", at, body, out);
    }

    fn simple(
        &mut self,
        kind: &'static str,
        at: Timestamp,
        body: impl Serialize,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        let line = Line {
            v: VERSION,
            sequence: self.position.sequence + 1,
            kind,
            at: &timestamp::format_millis(at),
            body,
            prev: &chain::encode(&self.position.mac),
        };
        // Numbers and strings into memory cannot fail.
        if serde_json::to_writer(&mut *out, &line).is_ok() {
            self.close(start, out);
        } else {
            out.truncate(start);
        }
    }

    fn close(&mut self, start: usize, out: &mut Vec<u8>) {
        self.position = Position {
            sequence: self.position.sequence + 1,
            mac: self.chain.seal(out, start),
        };
    }

    fn write_decision(
        &mut self,
        entry: &Entry,
        shadow: Option<&Decision>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let principal = &*entry.principal;
        let of_principal = of_principal(principal)?;
        let resource;
        let entities;
        let (mut resource_part, mut context_part, mut entities_part) = (
            &*of_principal.own_organization,
            None,
            &*of_principal.entities,
        );
        match &entry.subject {
            Subject::Unaskable(of, id) => {
                let (of, id) = ((*of).to_owned(), id.clone());
                resource = to_raw_value(&Uid { of, id })?;
                resource_part = &resource;
            }
            Subject::Asked(asked) => {
                let own = principal.prepared.as_ref().map(|it| &it.organization);
                if let Some(uid) = asked.request.resource().filter(|uid| Some(*uid) != own) {
                    resource = to_raw_value(&Uid::of(uid))?;
                    resource_part = &resource;
                }
                if let Some(whole) = &asked.entities {
                    entities = to_raw_value(&without_actions(whole)?)?;
                    entities_part = &entities;
                }
                if let Some(context) = asked.request.context() {
                    let ip = entry.source_ip.to_canonical();
                    let found = self.contexts.get(ip, entry.at, principal.kind, context)?;
                    context_part = Some(found);
                }
            }
        }
        let masked = if self.mask.is_empty() {
            None
        } else {
            let parts = Parts {
                request_id: entry.request_id.clone(),
                principal: serde_json::from_str(of_principal.principal.get())?,
                resource: serde_json::from_str(resource_part.get())?,
                context: context_part
                    .map_or(Ok(Value::Null), |it| serde_json::from_str(it.get()))?,
                entities: serde_json::from_str(entities_part.get())?,
            };
            Some(masked(parts, &self.mask, &self.chain)?)
        };
        let mut principal_part = &*of_principal.principal;
        let mut request_id = entry.request_id.as_str();
        if let Some(masked) = &masked {
            request_id = &masked.request_id;
            principal_part = &masked.principal;
            resource_part = &masked.resource;
            context_part = context_part.map(|_| &*masked.context);
            entities_part = &masked.entities;
        }
        let decision = &entry.decision;
        let (answer, reason) = words(decision.outcome);
        let refusal = decision.refusal.as_ref();
        let told = |error| told(error, &self.mask, &self.chain);
        let errors = decision.errors.iter().map(told).collect();
        let line = DecisionBody {
            v: VERSION,
            sequence: self.position.sequence + 1,
            kind: "decision",
            at: millis(&mut self.second, entry.at),
            id: Display(entry.id),
            request_id,
            via: entry.via.name(),
            organization: &of_principal.organization,
            policy_digest: &decision.policy_digest,
            principal: principal_part,
            action: Action {
                of: "Action",
                id: decision.permission.as_str(),
            },
            resource: resource_part,
            context: context_part,
            entities: entities_part,
            decision: answer,
            reason,
            code: refusal.and_then(|refusal| refusal.code.as_deref()),
            message: refusal.and_then(|refusal| refusal.message.as_deref()),
            determining: &decision.determining,
            errors,
            shadow: shadow.map(of_shadow),
            masked: self.mask.names().collect(),
            prev: &chain::encode(&self.position.mac),
        };
        Ok(serde_json::to_writer(out, &line)?)
    }
}

/// What the principal brings, written out at its first line.
fn of_principal(principal: &Principal) -> Result<&OfPrincipal, Fault> {
    if let Some(known) = principal.logged.get() {
        return Ok(known);
    }
    let made = OfPrincipal::new(principal)?;
    Ok(principal.logged.get_or_init(|| made))
}

struct MaskedParts {
    request_id: String,
    principal: Box<RawValue>,
    resource: Box<RawValue>,
    context: Box<RawValue>,
    entities: Box<RawValue>,
}

fn masked(mut parts: Parts, mask: &Mask, chain: &Chain) -> Result<MaskedParts, Fault> {
    mask.apply(&mut parts, chain);
    Ok(MaskedParts {
        principal: to_raw_value(&parts.principal)?,
        resource: to_raw_value(&parts.resource)?,
        context: to_raw_value(&parts.context)?,
        entities: to_raw_value(&parts.entities)?,
        request_id: parts.request_id,
    })
}

fn told<'a>(error: &'a EvaluationError, mask: &Mask, chain: &Chain) -> ErrorBody<'a> {
    ErrorBody {
        policy: &error.policy,
        message: mask.message(&error.message, chain),
    }
}

fn of_shadow(decision: &Decision) -> ShadowBody<'_> {
    let (answer, reason) = words(decision.outcome);
    ShadowBody {
        policy_digest: &decision.policy_digest,
        decision: answer,
        reason,
        determining: &decision.determining,
    }
}

/// An answer, and why not.
pub(super) const fn words(outcome: Outcome) -> (&'static str, Option<&'static str>) {
    match outcome {
        Outcome::Allow => ("allow", None),
        Outcome::Deny(Denial::NotPermitted) => ("deny", Some("not_permitted")),
        Outcome::Deny(Denial::ForbiddenByPolicy) => ("deny", Some("forbidden")),
    }
}

/// Whole milliseconds; the date is worked out once a second.
fn millis(second: &mut (i64, String), at: Timestamp) -> &str {
    const LENGTH: usize = "2025-09-30T12:00:00".len();
    let now = at.timestamp();
    if second.0 != now {
        *second = (now, timestamp::format_millis(at));
    }
    let text = &mut second.1;
    text.truncate(LENGTH);
    let millis = at.timestamp_subsec_millis();
    // Writing to a string cannot fail.
    let _ = std::fmt::Write::write_fmt(text, format_args!(".{millis:03}Z"));
    text
}
