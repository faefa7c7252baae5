//! The numbered cases of the certification scenario that search.

use serde_json::json;

use super::certification_cases::{
    Case,
    Expected::{Nothing, Results, Status},
    action, admin, archived, ask, case, context, record, user, with, without,
};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn searches() -> Vec<Case> {
    let (subject, resource, actions) = ("search/subject", "search/resource", "search/action");
    let readers = || ask(json!({"type": "user"}), action("read"), record("record-1"));
    let readable = || ask(user("alice"), action("read"), json!({"type": "record"}));
    let possible = || json!({"subject": user("alice"), "resource": record("record-1")});
    let both = || Results(Some("user"), vec!["alice", "bob"]);
    let first = || Results(Some("record"), vec!["record-1"]);
    vec![
        case("4.2.1", subject, readers(), both()),
        case(
            "4.2.2",
            subject,
            with(readers(), "context", context()),
            both(),
        ),
        case(
            "4.2.3",
            subject,
            with(readers(), "subject", user("alice")),
            both(),
        ),
        case(
            "4.2.4",
            subject,
            ask(json!({"type": "user"}), action("write"), archived()),
            Results(Some("user"), vec!["bob"]),
        ),
        case("4.3.1", resource, readable(), first()),
        case(
            "4.3.2",
            resource,
            with(readable(), "context", context()),
            first(),
        ),
        case(
            "4.3.3",
            resource,
            with(readable(), "resource", record("record-1")),
            first(),
        ),
        case(
            "4.3.4",
            resource,
            ask(admin(), action("write"), json!({"type": "record"})),
            Results(Some("record"), vec!["record-2"]),
        ),
        case(
            "4.4.1",
            actions,
            possible(),
            Results(None, vec!["read", "write"]),
        ),
        case(
            "4.4.2",
            actions,
            with(possible(), "context", context()),
            Results(None, vec!["read", "write"]),
        ),
        case(
            "4.4.3",
            actions,
            json!({"subject": admin(), "resource": archived()}),
            Results(None, vec!["write"]),
        ),
        case(
            "4.6.1 action",
            actions,
            with(possible(), "subject", user("nonexistent-user")),
            Nothing,
        ),
        case(
            "4.6.1 subject",
            subject,
            with(readers(), "resource", record("nonexistent-record")),
            Nothing,
        ),
        case(
            "4.6.1 resource",
            resource,
            with(readable(), "subject", user("nonexistent-user")),
            Nothing,
        ),
        case(
            "4.6.2 subject",
            subject,
            with(readers(), "subject", json!({"type": "spaceship"})),
            Nothing,
        ),
        case(
            "4.6.2 resource",
            resource,
            with(readable(), "resource", json!({"type": "spaceship"})),
            Nothing,
        ),
        case(
            "4.6.2 action",
            actions,
            with(
                possible(),
                "resource",
                json!({"type": "spaceship", "id": "1"}),
            ),
            Nothing,
        ),
        case(
            "4.7.1 subject",
            subject,
            without(readers(), "/action"),
            Status(400),
        ),
        case(
            "4.7.1 resource",
            resource,
            without(readable(), "/subject"),
            Status(400),
        ),
        case(
            "4.7.1 action",
            actions,
            without(possible(), "/resource"),
            Status(400),
        ),
        case(
            "4.7.2 subject",
            subject,
            without(readers(), "/resource/id"),
            Status(400),
        ),
        case(
            "4.7.2 resource",
            resource,
            without(readable(), "/subject/id"),
            Status(400),
        ),
        case(
            "4.7.2 action",
            actions,
            without(possible(), "/subject/id"),
            Status(400),
        ),
    ]
}
