//! The people, records and policies of the interoperability scenarios.

use serde_json::{Value, json};

/// Of the to-do application and the gateways before it.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    /// The `sub` of their tokens.
    pub(crate) id: &'static str,
    pub(super) email: &'static str,
    /// The last digit of the id of their to-do.
    pub(super) to_do: char,
    roles: &'static [&'static str],
}

/// As `examples/domains/todo/entities.json` has them.
pub(crate) const PEOPLE: [Person; 5] = [
    Person {
        name: "rick",
        id: "CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        email: "rick@the-citadel.com",
        to_do: '2',
        roles: &["admin", "evil_genius"],
    },
    Person {
        name: "morty",
        id: "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        email: "morty@the-citadel.com",
        to_do: '1',
        roles: &["editor"],
    },
    Person {
        name: "summer",
        id: "CiRmZDI2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        email: "summer@the-smiths.com",
        to_do: '3',
        roles: &["editor"],
    },
    Person {
        name: "beth",
        id: "CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        email: "beth@the-smiths.com",
        to_do: '4',
        roles: &["viewer"],
    },
    Person {
        name: "jerry",
        id: "CiRmZDQ2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
        email: "jerry@the-smiths.com",
        to_do: '5',
        roles: &["viewer"],
    },
];

/// The id of one of [`PEOPLE`].
pub(crate) fn id_of(name: &str) -> &'static str {
    let found = PEOPLE.iter().find(|person| person.name == name);
    found.expect("one of the five").id
}

impl Person {
    pub(super) fn at_gateway(self) -> Value {
        let roles = self.roles.iter();
        let roles: Vec<Value> = roles
            .map(|role| json!({"type": "role", "id": role}))
            .collect();
        json!({"uid": {"type": "identity", "id": self.id}, "attrs": {}, "parents": roles})
    }
}

/// Of the search application.
pub(super) struct Searcher(&'static str, &'static str, &'static str);

pub(super) const SEARCHERS: [Searcher; 6] = [
    Searcher("alice", "manager", "Sales"),
    Searcher("bob", "employee", "Legal"),
    Searcher("carol", "contractor", "Legal"),
    Searcher("dan", "manager", "Finance"),
    Searcher("erin", "employee", "Finance"),
    Searcher("felix", "contractor", "Accounting"),
];

impl Searcher {
    pub(super) fn entity(&self) -> Value {
        let attributes = json!({"role": self.1, "department": self.2});
        json!({"uid": {"type": "user", "id": self.0}, "attrs": attributes, "parents": []})
    }
}

/// The departments of the records 101 to 120, by their first letters. Their owners take turns.
const DEPARTMENTS: &str = "LLLALASLASALSAFLLALA";

/// Each record with its owner.
fn owners() -> impl Iterator<Item = (String, &'static str)> {
    let owners = SEARCHERS.iter().cycle().map(|searcher| searcher.0);
    (101..=120)
        .map(|number: u32| number.to_string())
        .zip(owners)
}

fn record(id: &str, owner: &str, mut attributes: Value) -> Value {
    attributes["owner"] = json!({"__entity": {"type": "user", "id": owner}});
    json!({"uid": {"type": "record", "id": id}, "attrs": attributes, "parents": []})
}

pub(super) fn records() -> Vec<Value> {
    let departments = DEPARTMENTS.chars().map(|letter| match letter {
        'A' => "Accounting",
        'F' => "Finance",
        'L' => "Legal",
        'S' => "Sales",
        _ => panic!("{letter}"),
    });
    owners()
        .zip(departments)
        .map(|((id, owner), department)| record(&id, owner, json!({"department": department})))
        .collect()
}

/// The records and users of the identity providers, of which only the owner matters.
pub(super) fn owned() -> Vec<Value> {
    let users = SEARCHERS
        .iter()
        .map(|user| json!({"uid": {"type": "user", "id": user.0}, "attrs": {}, "parents": []}));
    let records = owners().map(|(id, owner)| record(&id, owner, json!({})));
    users.chain(records).collect()
}

/// A schema and policies.
pub(super) struct Domain {
    pub(super) schema: &'static str,
    pub(super) policies: &'static str,
}

pub(super) const GATEWAY: Domain = Domain {
    schema: r#"entity role enum ["admin", "editor", "evil_genius", "viewer"];
entity identity in [role];
entity route;
action "GET", "POST", "PUT", "DELETE" appliesTo { principal: [identity], resource: [route] };
"#,
    policies: r#"@id("routes:read")
permit (principal is identity, action == Action::"GET", resource is route)
when { principal in [role::"viewer", role::"editor", role::"admin", role::"evil_genius"] };

@id("routes:write")
permit (principal is identity, action in [Action::"POST", Action::"PUT", Action::"DELETE"], resource is route)
when { principal in [role::"editor", role::"admin", role::"evil_genius"] };
"#,
};

pub(super) const READERS: Domain = Domain {
    schema: r#"entity user = { "role": String, "department": String };
entity record = { "owner": user, "department": String };
action "view", "edit", "delete" appliesTo { principal: [user], resource: [record] };
"#,
    policies: r#"@id("records:own")
permit (principal is user, action, resource is record)
when { resource.owner == principal };

@id("records:view-of-department")
permit (principal is user, action == Action::"view", resource is record)
when { resource.department == principal.department };

@id("records:managers-view")
permit (principal is user, action == Action::"view", resource is record)
when { principal.role == "manager" };

@id("records:managers-edit-of-department")
permit (principal is user, action == Action::"edit", resource is record)
when { principal.role == "manager" && resource.department == principal.department };
"#,
};

pub(super) const OWNERS: Domain = Domain {
    schema: r#"entity user;
entity record = { "owner": user };
action "delete" appliesTo { principal: [user], resource: [record] };
"#,
    policies: r#"@id("claims:own")
permit (principal is user, action == Action::"delete", resource is record)
when { resource.owner == principal };
"#,
};
