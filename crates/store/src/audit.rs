//! The audit log: for each organization a chain of events, each authenticated together with the
//! one before it. `audit_verify` checks it.

use std::path::Path;
use std::sync::Arc;

use sea_orm::prelude::Uuid;
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::Error;
use super::audit_heads::{Head, HeadsFile};
use super::audit_mac::{AuditKey, Mac, ORIGIN, compute, to_mac};
use super::connect::Transaction;
use super::entity::{audit_event, stored_time};
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::clock::Clock;
use charter_domain::id::OrganizationId;
use charter_domain::permission::Permission;

const MIN_KEY_BYTES: usize = 32;
/// What an event takes beside its changes, with the index over it: about that much.
const EVENT_BYTES: u64 = 512;

/// What happened; who and when is in the provenance.
pub(super) struct Entry {
    pub(super) action: Action,
    /// Typed id of what was changed.
    pub(super) resource: String,
    /// The fields before and after, only those that differ. Never a secret, sealed or not.
    pub(super) changes: Changes,
}

/// What was done, named by the permission that it takes, or by the operator's command.
#[derive(Clone, Copy)]
pub(super) enum Action {
    Permission(Permission),
    /// What no permission allows: a command on the machine.
    Operator(&'static str),
    /// What the service does by itself, when the time has come.
    System(&'static str),
    /// What a person does without anybody's permission: signing in, following a link.
    Person(&'static str),
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

    /// What it takes to store them: in the event, and about as much in the row that was changed.
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

/// Takes out of both what is the same in both, down to the members of members: a change of one key
/// of large metadata is a small event.
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

    /// Writes the next event; its head, and how many bytes the change adds to the database. The
    /// caller holds the organization's lock.
    pub(super) async fn append(
        &self,
        transaction: &Transaction,
        organization: OrganizationId,
        by: &AuditContext,
        entry: Entry,
    ) -> Result<(Head, u64), Error> {
        // By its number and without a limit: SQLite prepares a statement anew whenever its limit is bound.
        let of_organization = audit_event::Column::OrganizationId.eq(organization.uuid());
        let last = Query::select()
            .expr(audit_event::Column::Sequence.max())
            .from(audit_event::Entity)
            .and_where(of_organization.clone())
            .take();
        let last: Vec<(i64, Vec<u8>)> = audit_event::Entity::find()
            .select_only()
            .columns([audit_event::Column::Sequence, audit_event::Column::Mac])
            .filter(of_organization)
            .filter(audit_event::Column::Sequence.in_subquery(last))
            .into_tuple()
            .all(transaction)
            .await?;
        let (sequence, previous) = match last.into_iter().next() {
            Some((sequence, mac)) => (sequence.saturating_add(1), to_mac(&mac)?),
            None => (1, ORIGIN),
        };
        let event = self.event(organization.uuid(), sequence, &previous, by, entry)?;
        let head = Head::of(&event);
        let bytes = EVENT_BYTES.saturating_add(Changes::bytes(&event.changes));
        audit_event::Entity::insert(event.into_active_model())
            .exec_without_returning(transaction)
            .await?;
        Ok((head, bytes))
    }

    /// The event that follows `previous` in a chain.
    pub(super) fn event(
        &self,
        organization_id: Uuid,
        sequence: i64,
        previous: &Mac,
        by: &AuditContext,
        entry: Entry,
    ) -> Result<audit_event::Model, Error> {
        let key = self
            .keys
            .first()
            .ok_or_else(|| Error::Setup("no audit key is set".to_owned()))?;
        let mut event = audit_event::Model {
            organization_id,
            sequence,
            occurred_at: stored_time(by.at),
            actor: by.actor.to_string(),
            action: name(entry.action, by),
            resource: entry.resource,
            request_id: by.request_id.clone(),
            policy_digest: by.policy_digest.clone(),
            changes: entry.changes.to_text(),
            key_id: key.id.clone(),
            mac: Vec::new(),
        };
        event.mac = compute(key, previous, &event)?.to_vec();
        Ok(event)
    }

    /// The event's code as it ought to be; `None` for an event of an unknown key.
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

    /// Tells the world outside the database how far the chains have come. The events are
    /// committed by now, so a failure is reported and not returned.
    pub(super) fn publish(&self, heads: &[Head]) {
        for head in heads {
            self.heads.append(head);
        }
    }

    /// The file of heads.
    pub(super) const fn heads(&self) -> &HeadsFile {
        &self.heads
    }
}

/// What is done with a permission keeps its name; an operator needs none.
fn name(action: Action, by: &AuditContext) -> String {
    match action {
        Action::Operator(command) => format!("operator.{command}"),
        Action::Person(act) => format!("person.{act}"),
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
