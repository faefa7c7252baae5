//! Error code and message of a refusal, from the annotations `@code` and `@message` of forbids.
//! They do not influence the decision.

use cedar_policy::{Effect, Policy, PolicyId, PolicySet};

use super::fault::FolderFault;
use super::source::{Source, annotation};
use charter_domain::similar::is_like;
use charter_domain::text;

const CODE: &str = "code";
const MESSAGE: &str = "message";
/// In characters.
const MAX_CODE: usize = 64;
/// In characters.
const MAX_MESSAGE: usize = 300;

/// What a client is told about a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error code, from `@code`.
    pub code: Option<String>,
    /// The error message, from `@message`.
    pub message: Option<String>,
}

impl Refusal {
    /// The annotations of the applicable forbids, given sorted by `@id`: the first with a code,
    /// else the first with a message.
    pub(super) fn of(policies: &PolicySet, forbids: &[String]) -> Option<Self> {
        forbids
            .iter()
            .filter_map(|id| Self::annotated(policies.policy(&PolicyId::new(id))?))
            .min_by_key(|refusal| refusal.code.is_none())
    }

    fn annotated(policy: &Policy) -> Option<Self> {
        let text = |name| policy.annotation(name).map(ToOwned::to_owned);
        let (code, message) = (text(CODE), text(MESSAGE));
        (code.is_some() || message.is_some()).then_some(Self { code, message })
    }
}

/// Faults of a policy's annotations; `start` is offset and length of the policy.
pub(super) fn check(policy: &Policy, source: &Source, start: (usize, usize)) -> Vec<FolderFault> {
    let mut faults = Vec::new();
    for name in [CODE, MESSAGE] {
        let Some(value) = policy.annotation(name) else {
            continue;
        };
        let fault = if policy.effect() == Effect::Permit {
            FolderFault::new(format!(
                "a permit has an `@{name}`, but only a forbid refuses"
            ))
            .help("move it to the forbid that refuses, or remove it")
        } else if name == CODE && !is_code(value) {
            FolderFault::new("the `@code` cannot be the code of an error").help(format!(
                "use 1 to {MAX_CODE} upper-case letters, digits and `_`, beginning with a letter"
            ))
        } else if name == MESSAGE && !is_message(value) {
            FolderFault::new("the `@message` cannot be shown to a client").help(format!(
                "use 1 to {MAX_MESSAGE} characters on one line, without control characters"
            ))
        } else {
            continue;
        };
        let (offset, length) = annotation(policy, name).unwrap_or(start);
        faults.push(fault.at(source, offset, length));
    }
    faults.extend(misspelt(policy, source, start));
    faults
}

/// Annotations that look like one of ours; all others are comments.
fn misspelt(policy: &Policy, source: &Source, start: (usize, usize)) -> Vec<FolderFault> {
    let fault = |name: &str| {
        let meant = [CODE, MESSAGE].into_iter().find(|own| {
            // `@mode` is no slip of the hand.
            name != *own && is_like(name, own) && name.to_lowercase().starts_with(&own[..1])
        })?;
        let (offset, length) = annotation(policy, name).unwrap_or(start);
        let fault = FolderFault::new(format!("the annotation `@{name}` has no meaning"));
        let help = format!("write `@{meant}`, or give it a name that is not so similar");
        Some(fault.help(help).at(source, offset, length))
    };
    policy
        .annotations()
        .filter_map(|(name, _)| fault(name))
        .collect()
}

fn is_code(text: &str) -> bool {
    text.len() <= MAX_CODE
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn is_message(text: &str) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= MAX_MESSAGE
        && !text.chars().any(text::is_forbidden)
}
