//! Random policies, of which the gates let most through; some of those cannot be evaluated.

use std::sync::Arc;

use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;
use rand::RngExt;
use rand::rngs::StdRng;

use super::expressions;
use super::pick;

/// A kind of thing, and what can be said of it.
struct Kind {
    name: &'static str,
    /// Actions on it; both kinds of principals may ask for them, unless only people may.
    actions: &'static [&'static str],
    people_only: bool,
    /// The groups with an action on it.
    groups: &'static [&'static str],
    ids: &'static [&'static str],
    /// What it may be in.
    parents: &'static [&'static str],
    conditions: &'static [&'static str],
}

const ROLES: &[&str] = &["owner", "admin", "member"];
const BOTH: &[&str] = &["reads", "writes"];
const OF_ONE_TENANT: &str =
    "when { resource has organization && resource.organization == principal.organization }";
const ACTIVE: &str = "when { resource has is_active && resource.is_active }";

const KINDS: [Kind; 7] = [
    Kind {
        name: "Organization",
        actions: &["organizations:GetOrganization", "accounts:CreateAccount"],
        people_only: false,
        groups: BOTH,
        ids: &["org-00000000000000000000000001"],
        parents: &[],
        conditions: &[ACTIVE, "when { resource == principal.organization }"],
    },
    Kind {
        name: "Account",
        actions: &["accounts:GetAccount", "accounts:UpdateAccount"],
        people_only: false,
        groups: BOTH,
        ids: &["acc-00000000000000000000000001"],
        parents: &["Organization::\"org-00000000000000000000000001\""],
        conditions: &[ACTIVE, OF_ONE_TENANT],
    },
    Kind {
        name: "ServiceAccount",
        actions: &[
            "service-accounts:GetServiceAccount",
            "service-accounts:CreateKey",
        ],
        people_only: false,
        groups: BOTH,
        ids: &[
            "sa-00000000000000000000000010",
            "sa-00000000000000000000009999",
        ],
        parents: &[
            "Organization::\"org-00000000000000000000000002\"",
            "Account::\"acc-00000000000000000000000001\"",
            "Role::\"member\"",
            "Permission::\"accounts:GetAccount\"",
        ],
        conditions: &[ACTIVE, OF_ONE_TENANT],
    },
    Kind {
        name: "AccessKey",
        actions: &["service-accounts:RotateKey", "service-accounts:RevokeKey"],
        people_only: false,
        groups: &["writes"],
        ids: &["key-00000000000000000000000001"],
        parents: &[
            "Organization::\"org-00000000000000000000000001\"",
            "Account::\"acc-00000000000000000000000002\"",
            "ServiceAccount::\"sa-00000000000000000000000010\"",
            "ServiceAccount::\"sa-00000000000000000000009999\"",
            "Role::\"owner\"",
            "Permission::\"service-accounts:RotateKey\"",
        ],
        conditions: &[OF_ONE_TENANT],
    },
    Kind {
        name: "User",
        actions: &["team:ChangeRole", "team:RemoveMember"],
        people_only: true,
        groups: &["writes"],
        ids: &[
            "user-00000000000000000000000010",
            "user-00000000000000000000009999",
        ],
        parents: &["Role::\"owner\"", "Role::\"member\""],
        conditions: &[ACTIVE, OF_ONE_TENANT],
    },
    Kind {
        name: "Role",
        actions: &["service-accounts:AssignRole"],
        people_only: false,
        groups: &["writes"],
        ids: &["owner", "member"],
        parents: &[],
        conditions: &[],
    },
    Kind {
        name: "Permission",
        actions: &["service-accounts:GrantPermission"],
        people_only: false,
        groups: &["writes"],
        ids: &["organizations:GetOrganization"],
        parents: &[],
        conditions: &[],
    },
];

impl Kind {
    fn principal(&self, rng: &mut StdRng) -> String {
        let shapes = if self.people_only { 5 } else { 12 };
        match rng.random_range(0..shapes) {
            0 => "principal".to_owned(),
            1 => format!("principal in Role::\"{}\"", pick(rng, ROLES)),
            2 => "principal is User".to_owned(),
            3 => format!("principal is User in Role::\"{}\"", pick(rng, ROLES)),
            4 => "principal == User::\"user-00000000000000000000009999\"".to_owned(),
            5 => format!(
                "principal in Permission::\"{}\"",
                pick(rng, Permission::ALL)
            ),
            6 => "principal is ServiceAccount".to_owned(),
            7 => "principal == ServiceAccount::\"sa-00000000000000000000009999\"".to_owned(),
            8 => "principal == ServiceAccount::\"sa-00000000000000000000000001\"".to_owned(),
            9 => "principal in Organization::\"org-00000000000000000000000001\"".to_owned(),
            10 => "principal is ServiceAccount in Account::\"acc-00000000000000000000000002\""
                .to_owned(),
            _ => "principal in Account::\"acc-00000000000000000000000001\"".to_owned(),
        }
    }

    fn action(&self, rng: &mut StdRng) -> String {
        let (action, group) = (pick(rng, self.actions), pick(rng, self.groups));
        match rng.random_range(0..5) {
            0 => "action".to_owned(),
            1 => format!("action in Action::\"{group}\""),
            2 => "action in [Action::\"writes\", Action::\"reads\"]".to_owned(),
            3 => format!("action in [Action::\"{action}\", Action::\"writes\"]"),
            _ => format!("action == Action::\"{action}\""),
        }
    }

    fn resource(&self, rng: &mut StdRng) -> String {
        let name = self.name;
        let itself = format!("{name}::\"{}\"", pick(rng, self.ids));
        let group = if self.parents.is_empty() {
            itself.clone()
        } else {
            (*pick(rng, self.parents)).to_owned()
        };
        match rng.random_range(0..8) {
            0 => format!("resource == {itself}"),
            1 => format!("resource in {itself}"),
            2 => format!("resource is {name} in {itself}"),
            3 => format!("resource in {group}"),
            4 => format!("resource is {name} in {group}"),
            5 => format!("resource is {name}"),
            _ => "resource".to_owned(),
        }
    }

    fn condition(&self, rng: &mut StdRng) -> String {
        match rng.random_range(0..8) {
            0 if !self.conditions.is_empty() => (*pick(rng, self.conditions)).to_owned(),
            1 => "when { principal.is_active }".to_owned(),
            2 => "unless { action in Action::\"reads\" && principal.is_active }".to_owned(),
            3 => String::new(),
            _ => {
                let keyword = *pick(rng, &["when", "unless"]);
                format!("{keyword} {{ {} }}", expressions::condition(rng))
            }
        }
    }
}

/// In the `@id` of what fails whenever it is evaluated.
pub(crate) const OVERFLOWING: &str = "overflow.";
const OVERFLOWS: &str = "when { context.now.toTime().toMilliseconds() + 9223372036854775807 > 0 }";

fn policy(rng: &mut StdRng, number: usize) -> String {
    let effect = if rng.random_bool(0.8) {
        "permit"
    } else {
        "forbid"
    };
    let kind = pick(rng, &KINDS);
    let (principal, action) = (kind.principal(rng), kind.action(rng));
    let resource = kind.resource(rng);
    let (id, condition) = if rng.random_bool(0.15) {
        (OVERFLOWING, OVERFLOWS.to_owned())
    } else {
        ("random.", kind.condition(rng))
    };
    format!("@id(\"{id}{number}\")\n{effect} ({principal}, {action}, {resource}) {condition};\n")
}

/// What the gates let through of random policies.
pub(crate) struct Random {
    pub(crate) snapshot: Snapshot,
    pub(crate) text: String,
    pub(crate) refused: usize,
}

/// Random policies, beside the shipped ones or alone. `shipped` is the shipped folder, and what was made
/// of it.
pub(crate) fn random(rng: &mut StdRng, shipped: (&Folder, &Snapshot)) -> Random {
    let with_shipped = rng.random_bool(0.5);
    let mut files = shipped.0.files().clone();
    files.retain(|name, _| name == "schema.cedarschema" || (with_shipped && !name.contains('/')));
    let mut policies: Vec<String> = (0..rng.random_range(1..25))
        .map(|number| policy(rng, number))
        .collect();
    let written = policies.len();
    let load = |files: &Files, policies: &[String]| {
        let mut files = files.clone();
        files.insert("random.cedar".to_owned(), Arc::from(policies.concat()));
        let folder = Folder::from_files("policies".as_ref(), files).ok()?;
        Snapshot::updated_from(shipped.1, &folder).ok()
    };
    let snapshot = load(&files, &policies).or_else(|| {
        let mut alone = files.clone();
        alone.retain(|name, _| name == "schema.cedarschema");
        policies.retain(|policy| load(&alone, std::slice::from_ref(policy)).is_some());
        load(&files, &policies)
    });
    let refused = written - policies.len();
    if let Some(snapshot) = snapshot {
        return Random {
            snapshot,
            text: policies.concat(),
            refused,
        };
    }
    assert!(policies.is_empty(), "sound one by one: {policies:?}");
    random(rng, shipped)
}
