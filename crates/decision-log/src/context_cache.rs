//! Caches the JSON of contexts, which many lines share.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use cedar_policy::Context;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use charter_authz::json::{JsonError, context_json};
use charter_authz::kinds::PrincipalKind;
use charter_domain::timestamp::{self, Timestamp};

/// Bounds memory.
const MOST_CONTEXTS: usize = 4_096;

/// The context of a question as JSON.
#[derive(Debug, Clone)]
pub(super) enum ContextJson {
    /// Without `now`, which follows from the time in the decision's id.
    WithoutTime(String),
    Whole(Box<RawValue>),
}

/// The attribute `now` of a context.
pub(super) fn now_of(at: Timestamp) -> Value {
    json!({"__extn": {"fn": "datetime", "arg": timestamp::format(at)}})
}

impl ContextJson {
    fn of(at: Timestamp, context: &Context) -> Result<Self, JsonError> {
        let mut whole = context_json(context)?;
        let facts = whole.as_object_mut();
        let is_rule = facts.is_some_and(|facts| {
            let is_rule = facts.get("now") == Some(&now_of(at));
            if is_rule {
                facts.remove("now");
            }
            is_rule
        });
        Ok(if is_rule {
            Self::WithoutTime(whole.to_string())
        } else {
            Self::Whole(to_raw_value(&whole)?)
        })
    }

    /// The whole context at that time.
    pub(super) fn whole(&self, at: Timestamp) -> Result<Value, JsonError> {
        let mut whole: Value = match self {
            Self::Whole(context) => return Ok(serde_json::from_str(context.get())?),
            Self::WithoutTime(text) => serde_json::from_str(text)?,
        };
        if let Some(facts) = whole.as_object_mut() {
            facts.insert("now".to_owned(), now_of(at));
        }
        Ok(whole)
    }
}

/// Contexts by address, second and type of principal.
#[derive(Default)]
pub(super) struct ContextCache(HashMap<(IpAddr, i64, PrincipalKind), ContextJson>);

impl ContextCache {
    pub(super) fn get(
        &mut self,
        source_ip: IpAddr,
        at: Timestamp,
        kind: PrincipalKind,
        context: &Context,
    ) -> Result<&ContextJson, JsonError> {
        if self.0.len() >= MOST_CONTEXTS {
            self.0.clear();
        }
        let key = (source_ip, at.timestamp(), kind);
        match self.0.entry(key) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(free) => Ok(free.insert(ContextJson::of(at, context)?)),
        }
    }
}
