//! Hands a question only the policies whose scopes can match it (ADR 0014).
//!
//! A policy that is left out could neither be satisfied nor fail, since its scope is false; so the
//! answer, its reasons and its errors are those of the whole set, whatever the set's size.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cedar_policy::{
    ActionConstraint, Entities, EntityTypeName, EntityUid, Policy, PolicySet, PolicySetError,
    PrincipalConstraint, ResourceConstraint,
};

use super::catalogue::Catalogue;
use super::facts_read::FactsRead;
use super::kinds::{PrincipalKind, ResourceKind};
use charter_domain::permission::Permission;

/// What is asked for, by [`Permission::index`], and the types of who asks and of what it is about.
type QuestionKind = (usize, PrincipalKind, ResourceKind);

/// The policies of a snapshot, each in one place: under the principal that its scope names, else
/// under the resource that it names, else among those of every principal and resource.
#[derive(Debug)]
pub(super) struct Index {
    everybody: HashMap<QuestionKind, Arc<Candidates>>,
    by_principal: HashMap<EntityUid, Arc<IndexEntry>>,
    by_resource: HashMap<EntityUid, Arc<IndexEntry>>,
    /// The types that occur in `by_resource`: most resources need not be looked for.
    resource_types: HashSet<EntityTypeName>,
}

/// The policies whose scope names one principal or resource, as itself or as an ancestor.
#[derive(Debug, Default)]
pub(super) struct IndexEntry {
    /// By [`Permission::index`]: a place in `sets`.
    by_permission: Vec<Option<usize>>,
    /// Permissions that the same policies speak of share a set.
    sets: Vec<Candidates>,
}

/// Policies that are asked together.
#[derive(Debug)]
pub(super) struct Candidates {
    pub(super) policies: PolicySet,
    /// What they read of the facts around a question.
    pub(super) reads: FactsRead,
}

impl IndexEntry {
    fn get(&self, permission: Permission) -> Option<&Candidates> {
        let place = self.by_permission.get(permission.index()).copied()??;
        self.sets.get(place)
    }
}

impl Index {
    /// Sorts the policies of a set. `actions` are the schema's actions with their groups.
    pub(super) fn new(
        policies: &PolicySet,
        catalogue: &Catalogue,
        actions: &Entities,
    ) -> Result<Self, Box<PolicySetError>> {
        let mut everybody = Vec::new();
        let mut by_principal: HashMap<EntityUid, Vec<Scoped>> = HashMap::new();
        let mut by_resource: HashMap<EntityUid, Vec<Scoped>> = HashMap::new();
        for scoped in policies.policies().map(Scoped::new) {
            if let Some(principal) = named_principal(&scoped.principal) {
                by_principal.entry(principal).or_default().push(scoped);
            } else if let Some(resource) = named_resource(&scoped.resource) {
                by_resource.entry(resource).or_default().push(scoped);
            } else {
                everybody.push(scoped);
            }
        }
        let sort = Sort {
            names: catalogue
                .action_uids()
                .map(|action| names_of(action, actions))
                .collect(),
        };
        Ok(Self {
            everybody: sort.questions(&everybody, catalogue)?,
            resource_types: by_resource
                .keys()
                .map(|uid| uid.type_name().clone())
                .collect(),
            by_principal: sort.entries(by_principal)?,
            by_resource: sort.entries(by_resource)?,
        })
    }

    /// What the index has for a principal, under its own name and those of its ancestors. The same
    /// for each of its questions.
    pub(super) fn of_principal(
        &self,
        uid: &EntityUid,
        entities: &Entities,
    ) -> Vec<Arc<IndexEntry>> {
        entries(&self.by_principal, uid, entities)
    }

    /// Every set with a policy that can match; together they decide.
    pub(super) fn candidates<'a>(
        &'a self,
        question: (Permission, PrincipalKind, ResourceKind),
        principal: &'a [Arc<IndexEntry>],
        resource: &EntityUid,
        entities: &Entities,
    ) -> impl Iterator<Item = &'a Candidates> {
        let (permission, principal_kind, resource_kind) = question;
        let everybody = self
            .everybody
            .get(&(permission.index(), principal_kind, resource_kind));
        let principal = principal
            .iter()
            .filter_map(move |entry| entry.get(permission));
        everybody
            .map(Arc::as_ref)
            .into_iter()
            .chain(principal)
            .chain(self.of_resource(permission, resource, entities))
    }

    fn of_resource(
        &self,
        permission: Permission,
        uid: &EntityUid,
        entities: &Entities,
    ) -> Vec<&Candidates> {
        if self.resource_types.is_empty() {
            return Vec::new();
        }
        std::iter::once(uid)
            .chain(entities.ancestors(uid).into_iter().flatten())
            .filter(|uid| self.resource_types.contains(uid.type_name()))
            .filter_map(|uid| self.by_resource.get(uid)?.get(permission))
            .collect()
    }
}

fn entries(
    all: &HashMap<EntityUid, Arc<IndexEntry>>,
    uid: &EntityUid,
    entities: &Entities,
) -> Vec<Arc<IndexEntry>> {
    std::iter::once(uid)
        .chain(entities.ancestors(uid).into_iter().flatten())
        .filter_map(|uid| all.get(uid).cloned())
        .collect()
}

/// An action and the groups it is in.
fn names_of(action: &EntityUid, actions: &Entities) -> HashSet<EntityUid> {
    actions
        .ancestors(action)
        .into_iter()
        .flatten()
        .chain([action])
        .cloned()
        .collect()
}

/// A policy with its scope taken apart.
struct Scoped {
    /// Without its text, which only reports need: a policy may be in many sets.
    policy: Policy,
    reads: FactsRead,
    principal: PrincipalConstraint,
    action: ActionConstraint,
    resource: ResourceConstraint,
}

impl Scoped {
    fn new(policy: &Policy) -> Self {
        Self {
            policy: Policy::from(policy.as_ref().clone()),
            reads: FactsRead::of(policy),
            principal: policy.principal_constraint(),
            action: policy.action_constraint(),
            resource: policy.resource_constraint(),
        }
    }

    fn speaks_of(&self, names: &HashSet<EntityUid>) -> bool {
        match &self.action {
            ActionConstraint::Any => true,
            // A policy on a group itself is kept, too: it costs an evaluation and changes nothing.
            ActionConstraint::Eq(uid) => names.contains(uid),
            ActionConstraint::In(uids) => uids.iter().any(|uid| names.contains(uid)),
        }
    }

    /// Whether its scope lets such a pair through, if it names neither.
    fn fits(&self, principal: &str, resource: &str) -> bool {
        let principal = match &self.principal {
            PrincipalConstraint::Is(name) => name.to_string() == principal,
            _ => true,
        };
        principal
            && match &self.resource {
                ResourceConstraint::Is(name) => name.to_string() == resource,
                _ => true,
            }
    }
}

/// The one principal that, itself or as an ancestor, a scope needs.
fn named_principal(constraint: &PrincipalConstraint) -> Option<EntityUid> {
    match constraint {
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
        PrincipalConstraint::Eq(uid)
        | PrincipalConstraint::In(uid)
        | PrincipalConstraint::IsIn(_, uid) => Some(uid.clone()),
    }
}

fn named_resource(constraint: &ResourceConstraint) -> Option<EntityUid> {
    match constraint {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
        ResourceConstraint::Eq(uid)
        | ResourceConstraint::In(uid)
        | ResourceConstraint::IsIn(_, uid) => Some(uid.clone()),
    }
}

/// Makes policy sets for permissions.
struct Sort {
    /// By [`Permission::index`].
    names: Vec<HashSet<EntityUid>>,
}

impl Sort {
    fn questions(
        &self,
        policies: &[Scoped],
        catalogue: &Catalogue,
    ) -> Result<HashMap<QuestionKind, Arc<Candidates>>, Box<PolicySetError>> {
        let mut made: HashMap<Vec<usize>, Arc<Candidates>> = HashMap::new();
        let mut questions = HashMap::new();
        for permission in Permission::ALL {
            let Some(names) = self.names.get(permission.index()) else {
                continue;
            };
            let speaking: Vec<usize> = indices(policies, |policy| policy.speaks_of(names));
            for (principal, resource) in catalogue.pairs(*permission) {
                let (principal_type, resource_type) = (principal.type_name(), resource.type_name());
                let chosen: Vec<usize> = speaking
                    .iter()
                    .copied()
                    .filter(|&place| {
                        policies
                            .get(place)
                            .is_some_and(|policy| policy.fits(principal_type, resource_type))
                    })
                    .collect();
                let set = if let Some(set) = made.get(&chosen) {
                    Arc::clone(set)
                } else {
                    let set = Arc::new(policy_set(policies, &chosen)?);
                    made.insert(chosen, Arc::clone(&set));
                    set
                };
                questions.insert((permission.index(), principal, resource), set);
            }
        }
        Ok(questions)
    }

    fn entries(
        &self,
        policies: HashMap<EntityUid, Vec<Scoped>>,
    ) -> Result<HashMap<EntityUid, Arc<IndexEntry>>, Box<PolicySetError>> {
        policies
            .into_iter()
            .map(|(uid, policies)| Ok((uid, Arc::new(self.entry(&policies)?))))
            .collect()
    }

    fn entry(&self, policies: &[Scoped]) -> Result<IndexEntry, Box<PolicySetError>> {
        let mut entry = IndexEntry::default();
        let mut made: HashMap<Vec<usize>, usize> = HashMap::new();
        for names in &self.names {
            let chosen = indices(policies, |policy| policy.speaks_of(names));
            if chosen.is_empty() {
                entry.by_permission.push(None);
                continue;
            }
            let place = if let Some(place) = made.get(&chosen) {
                *place
            } else {
                let place = entry.sets.len();
                entry.sets.push(policy_set(policies, &chosen)?);
                made.insert(chosen, place);
                place
            };
            entry.by_permission.push(Some(place));
        }
        Ok(entry)
    }
}

fn indices(policies: &[Scoped], wanted: impl Fn(&Scoped) -> bool) -> Vec<usize> {
    let numbered = policies.iter().enumerate();
    numbered
        .filter(|(_, policy)| wanted(policy))
        .map(|(place, _)| place)
        .collect()
}

fn policy_set(policies: &[Scoped], chosen: &[usize]) -> Result<Candidates, Box<PolicySetError>> {
    let chosen: Vec<&Scoped> = chosen
        .iter()
        .filter_map(|&place| policies.get(place))
        .collect();
    let reads = chosen.iter().map(|scoped| scoped.reads).sum();
    let policies = PolicySet::from_policies(chosen.iter().map(|scoped| scoped.policy.clone()));
    policies
        .map(|policies| Candidates { policies, reads })
        .map_err(Box::new)
}
