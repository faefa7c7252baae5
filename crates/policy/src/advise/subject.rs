//! The subject of advice, and its policies.

use std::collections::BTreeMap;

use cedar_policy::{Effect, EntityUid, Policy, PolicyId, PrincipalConstraint};
use serde_json::Value;

use super::log_pass::RefusedAdvice;
use super::policy_json::{is_principal_in, part, set_members};
use charter_authz::snapshot::Snapshot;

/// A holder of grants.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A service account, with its current grants.
    ServiceAccount(HeldGrants),
    /// A role, or any other group of principals.
    Role(EntityUid),
    /// A permit, by its `@id`.
    Policy(String),
}

/// The grants of a service account.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct HeldGrants {
    /// `sa-…`
    #[serde(skip)]
    pub id: String,
    /// By name.
    pub roles: Vec<String>,
    /// By name.
    pub permissions: Vec<String>,
}

impl HeldGrants {
    /// Whether another list has all of it.
    pub(super) fn is_part_of(&self, whole: &Self) -> bool {
        let within = |part: &[String], whole: &[String]| part.iter().all(|it| whole.contains(it));
        within(&self.roles, &whole.roles) && within(&self.permissions, &whole.permissions)
    }
}

/// How a permit applies to the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Concern {
    /// It applies to the subject only.
    Whole,
    /// The role is one of several in a list.
    Listed,
    /// It names the role in another way, and is not changed.
    Named,
}

impl Subject {
    /// The role of this name, or an entity such as `group::"readers"`.
    ///
    /// # Errors
    ///
    /// The name is not an entity's.
    pub fn role(name: &str) -> Result<Self, String> {
        let uid = if name.contains("::") {
            name.to_owned()
        } else {
            format!("Role::{name:?}")
        };
        let uid: Result<EntityUid, _> = uid.parse();
        uid.map(Self::Role).map_err(|error| error.to_string())
    }

    /// Its name in reports.
    pub(super) fn title(&self) -> String {
        match self {
            Self::ServiceAccount(held) => format!("service account `{}`", held.id),
            Self::Role(role) => format!("role `{role}`"),
            Self::Policy(id) => format!("policy `{id}`"),
        }
    }

    /// The permits that can be narrowed for it, by `@id`.
    pub(super) fn policies(
        &self,
        snapshot: &Snapshot,
    ) -> Result<BTreeMap<String, Concern>, RefusedAdvice> {
        let refused = |what: String| Err(RefusedAdvice::Subject(what));
        match self {
            Self::ServiceAccount(_) => Ok(BTreeMap::new()),
            Self::Policy(id) => match snapshot.policies().policy(&PolicyId::new(id)) {
                None => refused(format!("there is no policy `{id}`")),
                Some(policy) if policy.effect() == Effect::Forbid => {
                    refused(format!("`{id}` is a forbid, which grants nothing"))
                }
                Some(_) => Ok([(id.clone(), Concern::Whole)].into()),
            },
            Self::Role(role) => {
                let permits = snapshot.policies().policies();
                let concerned: BTreeMap<_, _> = permits
                    .filter(|policy| policy.effect() == Effect::Permit)
                    .filter_map(|policy| Some((policy.id().to_string(), concern(policy, role)?)))
                    .collect();
                if concerned.is_empty() {
                    return refused(format!("no permit names {role}"));
                }
                Ok(concerned)
            }
        }
    }
}

fn concern(policy: &Policy, role: &EntityUid) -> Option<Concern> {
    match policy.principal_constraint() {
        PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) if uid == *role => {
            return Some(Concern::Whole);
        }
        _ => {}
    }
    let json = policy.to_json().ok()?;
    let named = mentions(&json, role);
    let listed = lists_with(&json, role);
    match (listed, named) {
        (0, 0) => None,
        (listed, named) if listed == named => Some(Concern::Listed),
        _ => Some(Concern::Named),
    }
}

/// How often an expression names an entity.
pub(super) fn mentions(json: &Value, uid: &EntityUid) -> usize {
    if is_entity(json, uid) {
        return 1;
    }
    children(json).map(|child| mentions(child, uid)).sum()
}

/// How many lists in `principal in […]` have it.
fn lists_with(json: &Value, uid: &EntityUid) -> usize {
    let here = is_principal_in(json)
        .and_then(set_members)
        .map_or(0, |members| {
            let of = members.iter().map(|member| mentions(member, uid));
            of.sum()
        });
    here + children(json)
        .map(|child| lists_with(child, uid))
        .sum::<usize>()
}

/// Whether it is `{"type", "id"}` of the entity, as in scopes and literals.
pub(super) fn is_entity(json: &Value, uid: &EntityUid) -> bool {
    let of = uid.type_name().to_string();
    part(json, "type").as_str() == Some(&of)
        && part(json, "id").as_str() == Some(uid.id().unescaped())
}

pub(super) fn children(json: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match json {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}
