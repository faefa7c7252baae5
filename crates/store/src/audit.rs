//! The audit log: a chain of events for each organization. Each event's MAC covers the previous one.
//! `audit_verify` checks the chains.

use std::path::Path;
use std::sync::Arc;

use sea_orm::prelude::Uuid;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::Error;
use super::audit_heads::{Head, HeadsFile};
use super::audit_mac::{AuditKey, Link, Mac, compute};
use super::entity::audit_event;
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::clock::Clock;
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;

const MIN_KEY_BYTES: usize = 32;
/// Approximate size of an event without its changes, index entries included.
const EVENT_BYTES: u64 = 512;

/// Bytes that an event and its change add to the database.
pub(super) fn bytes_of(event: &audit_event::Model) -> u64 {
    EVENT_BYTES.saturating_add(Changes::bytes(&event.changes))
}

/// An event to record; the actor and the time come from the audit context.
pub(super) struct AuditEntry {
    pub(super) action: Action,
    /// The typed id of the changed record.
    pub(super) resource: String,
    /// The changed fields, before and after. Never a secret, sealed or not.
    pub(super) changes: Changes,
}

/// What was done, named after the required permission or the operator's command.
#[derive(Clone, Copy)]
pub(super) enum Action {
    Permission(Permission),
    /// A command on the machine, which no permission allows.
    Operator(&'static str),
    /// Scheduled work of the service.
    System(&'static str),
    /// An action that needs no permission, such as signing in or following a link.
    User(&'static str),
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Changes {
    before: Map<String, Value>,
    after: Map<String, Value>,
}

impl Changes {
    pub(super) fn created(after: Value) -> Self {
        Self::between(Value::Null, after)
    }

    pub(super) fn between(before: Value, after: Value) -> Self {
        let (mut before, mut after) = (object(before), object(after));
        keep_changed(&mut before, &mut after);
        Self { before, after }
    }

    /// Bytes that a change adds: the event, and about the same in the changed row.
    fn bytes(text: &str) -> u64 {
        u64::try_from(text.len())
            .unwrap_or(u64::MAX)
            .saturating_mul(2)
    }

    pub(super) fn to_text(&self) -> String {
        let mut changes = json!({ "before": self.before, "after": self.after });
        changes.sort_all_objects();
        changes.to_string()
    }
}

/// Removes equal members from both, recursively, so that changing one key of large metadata makes a small event.
fn keep_changed(before: &mut Map<String, Value>, after: &mut Map<String, Value>) {
    before.retain(|field, old| match (old, after.get_mut(field)) {
        (old, Some(new)) if *old == *new => {
            after.remove(field);
            false
        }
        (Value::Object(old), Some(Value::Object(new))) => {
            keep_changed(old, new);
            true
        }
        _ => true,
    });
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

pub(super) struct Log {
    keys: Vec<AuditKey>,
    heads: HeadsFile,
}

impl Log {
    pub(super) fn open(
        keys: Vec<AuditKey>,
        heads: Option<&Path>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        if keys.is_empty() {
            return Err(Error::Setup("no audit key is set".to_owned()));
        }
        if let Some(short) = keys
            .iter()
            .find(|key| key.secret.expose_secret().len() < MIN_KEY_BYTES)
        {
            return Err(Error::Setup(format!(
                "the audit key `{}` is shorter than {MIN_KEY_BYTES} bytes",
                short.id
            )));
        }
        let heads = HeadsFile::open(heads, clock)?;
        Ok(Self { keys, heads })
    }

    /// The event after `last`.
    pub(super) fn event(
        &self,
        organization_id: Uuid,
        last: &Link,
        by: &AuditContext,
        at: Timestamp,
        entry: AuditEntry,
    ) -> Result<audit_event::Model, Error> {
        let key = self
            .keys
            .first()
            .ok_or_else(|| Error::Setup("no audit key is set".to_owned()))?;
        let mut event = audit_event::Model {
            organization_id,
            sequence: last.sequence.saturating_add(1),
            occurred_at: at,
            actor: by.actor.to_string(),
            action: name(entry.action, by),
            resource: entry.resource,
            request_id: by.request_id.clone(),
            policy_digest: by.policy_digest.clone(),
            changes: entry.changes.to_text(),
            key_id: key.id.clone(),
            mac: Vec::new(),
        };
        event.mac = compute(key, &last.mac, &event)?.to_vec();
        Ok(event)
    }

    /// The expected MAC of an event; `None` if its key is unknown.
    pub(super) fn recompute(
        &self,
        previous: &Mac,
        event: &audit_event::Model,
    ) -> Result<Option<Mac>, Error> {
        self.keys
            .iter()
            .find(|key| key.id == event.key_id)
            .map(|key| compute(key, previous, event))
            .transpose()
    }

    /// Publishes the heads outside the database. The events are committed, so a failure is only reported.
    pub(super) fn publish(&self, heads: &[Head]) {
        for head in heads {
            self.heads.append(head);
        }
    }

    pub(super) const fn heads(&self) -> &HeadsFile {
        &self.heads
    }
}

/// A permission keeps its name, except for operators.
fn name(action: Action, by: &AuditContext) -> String {
    match action {
        Action::Operator(command) => format!("operator.{command}"),
        Action::User(act) => format!("person.{act}"),
        Action::System(act) => format!("system.{act}"),
        Action::Permission(permission) if by.actor == Actor::Operator(None) => {
            format!("operator.{permission}")
        }
        Action::Permission(permission) => permission.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_hold_only_what_differs() {
        let changes = Changes::between(
            json!({"name": "a", "roles": [1], "same": true}),
            json!({"name": "b", "roles": [1, 2], "same": true}),
        );
        assert_eq!(
            changes.to_text(),
            r#"{"after":{"name":"b","roles":[1,2]},"before":{"name":"a","roles":[1]}}"#
        );
        assert_eq!(
            Changes::between(
                json!({"metadata": {"same": {"x": [1]}, "a": {"b": 1, "c": 2}, "gone": 1}}),
                json!({"metadata": {"same": {"x": [1]}, "a": {"b": 1, "c": 3}, "new": {"d": 4}}}),
            )
            .to_text(),
            r#"{"after":{"metadata":{"a":{"c":3},"new":{"d":4}}},"before":{"metadata":{"a":{"c":2},"gone":1}}}"#
        );
        assert_eq!(
            Changes::between(json!({"a": {}, "b": {"c": 1}}), json!({"a": 1, "b": {}})).to_text(),
            r#"{"after":{"a":1,"b":{}},"before":{"a":{},"b":{"c":1}}}"#
        );
        assert_eq!(
            Changes::created(json!({"b": 1, "a": null})).to_text(),
            r#"{"after":{"a":null,"b":1},"before":{}}"#
        );
    }
}
