//! The numbered cases of the certification scenario: what is sent, what must come back.

use serde_json::{Value, json};

/// What must come back.
pub(super) enum Expected {
    /// 200 with this decision.
    Decision(bool),
    /// 200 with these decisions, in order; `None` may be either.
    Decisions(Vec<Option<bool>>),
    /// 200 with results of this type that include these ids.
    Results(Option<&'static str>, Vec<&'static str>),
    /// 200 with no results.
    Nothing,
    /// This status.
    Status(u16),
}

use Expected::{Decision, Decisions, Status};

pub(super) struct Case {
    /// As the scenario numbers it.
    pub(super) number: &'static str,
    /// Below the domain's base.
    pub(super) path: &'static str,
    pub(super) sent: Value,
    pub(super) expected: Expected,
}

pub(super) fn case(
    number: &'static str,
    path: &'static str,
    sent: Value,
    expected: Expected,
) -> Case {
    Case {
        number,
        path,
        sent,
        expected,
    }
}

pub(super) fn user(id: &str) -> Value {
    json!({"type": "user", "id": id})
}

pub(super) fn record(id: &str) -> Value {
    json!({"type": "record", "id": id})
}

pub(super) fn action(name: &str) -> Value {
    json!({"name": name})
}

pub(super) fn archived() -> Value {
    json!({"type": "record", "id": "record-2", "properties": {"status": "archived"}})
}

pub(super) fn admin() -> Value {
    json!({"type": "user", "id": "bob", "properties": {"role": "admin"}})
}

pub(super) fn context() -> Value {
    json!({"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"})
}

pub(super) fn ask(subject: Value, action: Value, resource: Value) -> Value {
    json!({"subject": subject, "action": action, "resource": resource})
}

pub(super) fn with(mut question: Value, name: &str, value: Value) -> Value {
    question[name] = value;
    question
}

pub(super) fn without(mut question: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let part = question.pointer_mut(parent).and_then(Value::as_object_mut);
    part.expect("an object").remove(name);
    question
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn basic() -> Vec<Case> {
    let reads = || ask(user("alice"), action("read"), record("record-1"));
    let delete = |soft: bool| json!({"name": "delete", "properties": {"soft": soft}});
    let one = |number, sent, expected| case(number, "evaluation", sent, expected);
    vec![
        one("2.2.1", reads(), Decision(true)),
        one(
            "2.2.2",
            ask(user("bob"), action("write"), record("record-1")),
            Decision(false),
        ),
        one("2.2.3", with(reads(), "context", context()), Decision(true)),
        one(
            "2.2.4",
            ask(user("alice"), action("write"), archived()),
            Decision(false),
        ),
        one(
            "2.2.5",
            ask(admin(), action("write"), archived()),
            Decision(true),
        ),
        one(
            "2.2.6",
            ask(user("alice"), delete(true), record("record-1")),
            Decision(true),
        ),
        one(
            "2.2.7",
            ask(user("alice"), delete(false), record("record-1")),
            Decision(false),
        ),
        one(
            "2.2.8",
            json!({
                "subject": {
                    "type": "user", "id": "alice",
                    "properties": {"department": "Sales", "role": "manager"},
                },
                "action": {"name": "read", "properties": {"method": "GET"}},
                "resource": {
                    "type": "record", "id": "record-1",
                    "properties": {"status": "active", "owner": "bob"},
                },
            }),
            Decision(true),
        ),
        one(
            "2.2.9",
            with(
                with(reads(), "foo", json!("bar")),
                "futureField",
                json!({"nested": true}),
            ),
            Decision(true),
        ),
        // The other decisions that the fixture mandates (section 1.4, rules 2 and 3).
        one(
            "1.4 rule 2",
            ask(user("alice"), action("write"), record("record-1")),
            Decision(true),
        ),
        one(
            "1.4 rule 3",
            ask(user("bob"), action("read"), record("record-1")),
            Decision(true),
        ),
        one("2.4.1 subject", without(reads(), "/subject"), Status(400)),
        one("2.4.1 action", without(reads(), "/action"), Status(400)),
        one("2.4.1 resource", without(reads(), "/resource"), Status(400)),
        one(
            "2.4.2 subject.type",
            without(reads(), "/subject/type"),
            Status(400),
        ),
        one(
            "2.4.2 subject.id",
            without(reads(), "/subject/id"),
            Status(400),
        ),
        one(
            "2.4.2 action.name",
            without(reads(), "/action/name"),
            Status(400),
        ),
        one(
            "2.4.2 resource.type",
            without(reads(), "/resource/type"),
            Status(400),
        ),
        one(
            "2.4.2 resource.id",
            without(reads(), "/resource/id"),
            Status(400),
        ),
        one(
            "2.4.6 subject",
            with(reads(), "subject", json!("alice")),
            Status(400),
        ),
        one(
            "2.4.6 action.name",
            with(reads(), "action", json!({"name": 123})),
            Status(400),
        ),
    ]
}

pub(super) fn batch() -> Vec<Case> {
    let many = |number, sent, expected| case(number, "evaluations", sent, expected);
    let reads = || ask(user("alice"), action("read"), record("record-1"));
    let active = || json!({"type": "record", "id": "record-1", "properties": {"status": "active"}});
    vec![
        many(
            "3.2.1",
            json!({
                "subject": user("alice"), "action": action("read"),
                "evaluations": [{"resource": record("record-1")}, {"resource": record("record-2")}],
            }),
            Decisions(vec![None, None]),
        ),
        many(
            "3.2.2",
            json!({
                "subject": user("bob"), "resource": record("record-1"),
                "evaluations": [{"action": action("read")}, {"action": action("write")}],
            }),
            Decisions(vec![Some(true), Some(false)]),
        ),
        many(
            "3.2.3",
            json!({
                "subject": user("alice"), "action": action("write"),
                "evaluations": [{"resource": active()}, {"resource": archived()}],
            }),
            Decisions(vec![Some(true), Some(false)]),
        ),
        many(
            "3.2.4",
            json!({
                "action": action("write"), "resource": archived(),
                "evaluations": [{"subject": user("alice")}, {"subject": admin()}],
            }),
            Decisions(vec![Some(false), Some(true)]),
        ),
        many(
            "3.2.5",
            json!({"evaluations": [
                reads(),
                ask(user("bob"), action("write"), record("record-1")),
            ]}),
            Decisions(vec![Some(true), Some(false)]),
        ),
        many(
            "3.2.6",
            json!({
                "subject": user("alice"), "action": action("read"),
                "context": {"time": "2025-06-27T18:03-07:00"},
                "evaluations": [
                    {"resource": record("record-1")},
                    {
                        "resource": record("record-2"),
                        "context": {"time": "2025-06-27T19:00-07:00", "source": "batch-override"},
                    },
                ],
            }),
            Decisions(vec![None, None]),
        ),
        many(
            "3.2.7",
            json!({
                "subject": user("alice"), "action": action("write"), "resource": active(),
                "evaluations": [{}, {"resource": archived()}],
            }),
            Decisions(vec![Some(true), Some(false)]),
        ),
        many(
            "3.4.1",
            json!({
                "subject": user("alice"), "action": action("read"),
                "options": {"evaluations_semantic": "execute_all"},
                "evaluations": [{"resource": record("record-1")}, {}],
            }),
            Decisions(vec![Some(true), Some(false)]),
        ),
        many("3.4.2", reads(), Decision(true)),
        many(
            "3.4.3",
            with(reads(), "evaluations", json!([])),
            Decision(true),
        ),
    ]
}
