//! Selects the policies whose scope can match a question (ADR 0014).
//!
//! A policy that is left out has a false scope, so it can neither apply nor fail: decision, reasons
//! and errors are those of the whole set.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use cedar_policy::{
    ActionConstraint, Entities, EntityTypeName, EntityUid, Policy, PolicySet, PolicySetError,
    PrincipalConstraint, ResourceConstraint,
};

use super::catalogue::Catalogue;
use super::facts_read::FactsRead;
use super::kinds::{PrincipalKind, ResourceKind};
use super::policy_scope::{covers_action, named_principal, named_resource, names_of};
use charter_domain::permission::Permission;

/// Permission by [`Permission::index`], with the types of principal and resource.
type QuestionKind = (usize, PrincipalKind, ResourceKind);

/// The policies of a snapshot, each stored once: under the principal that its scope names, else
/// under the resource that it names, else with those for any principal and resource.
#[derive(Debug)]
pub(super) struct Index<K = QuestionKind> {
    everybody: HashMap<K, Arc<Candidates>>,
    by_principal: HashMap<EntityUid, Arc<IndexEntry>>,
    by_resource: HashMap<EntityUid, Arc<IndexEntry>>,
    /// The types that occur in `by_resource`: most resources need no look-up.
    resource_types: HashSet<EntityTypeName>,
}

/// Policies whose scope names one principal or resource, directly or as an ancestor.
#[derive(Debug, Default)]
pub(super) struct IndexEntry {
    /// By the number of the action: an index into `sets`.
    by_action: Vec<Option<usize>>,
    /// Actions with the same policies share a set.
    sets: Vec<Candidates>,
}

/// Policies that are evaluated together.
#[derive(Debug)]
pub(super) struct Candidates {
    pub(super) policies: PolicySet,
    /// The facts that they read.
    pub(super) reads: FactsRead,
}

impl IndexEntry {
    fn get(&self, action: usize) -> Option<&Candidates> {
        let place = self.by_action.get(action).copied()??;
        self.sets.get(place)
    }
}

/// A combination of types that may be asked about.
pub(super) struct AskedTypes<K> {
    pub(super) kind: K,
    /// The number of the action.
    pub(super) action: usize,
    pub(super) principal: String,
    pub(super) resource: String,
}

impl Index {
    /// For the service's permissions. `actions` are the schema's actions with their groups.
    pub(super) fn of_catalogue(
        policies: &PolicySet,
        catalogue: &Catalogue,
        actions: &Entities,
    ) -> Result<Self, Box<PolicySetError>> {
        let uids = catalogue.action_uids();
        let asked = Permission::ALL.iter().flat_map(|permission| {
            let action = permission.index();
            catalogue
                .pairs(*permission)
                .map(move |(principal, resource)| AskedTypes {
                    kind: (action, principal, resource),
                    action,
                    principal: principal.type_name().to_owned(),
                    resource: resource.type_name().to_owned(),
                })
        });
        Self::new(policies, uids, asked, actions)
    }

    /// Every set that may contain an applicable policy.
    pub(super) fn candidates<'a>(
        &'a self,
        question: (Permission, PrincipalKind, ResourceKind),
        principal: &'a [Arc<IndexEntry>],
        resource: &EntityUid,
        entities: &Entities,
    ) -> impl Iterator<Item = &'a Candidates> + use<'a> {
        let (permission, principal_kind, resource_kind) = question;
        let action = permission.index();
        let kind = (action, principal_kind, resource_kind);
        self.candidates_of(&kind, action, principal, resource, entities)
    }
}

impl<K: Eq + Hash> Index<K> {
    /// `uids` are the actions by number, `asked` what the schema lets be asked.
    pub(super) fn new<'u>(
        policies: &PolicySet,
        uids: impl Iterator<Item = &'u EntityUid>,
        asked: impl Iterator<Item = AskedTypes<K>>,
        actions: &Entities,
    ) -> Result<Self, Box<PolicySetError>> {
        let mut everybody = Vec::new();
        let mut by_principal: HashMap<EntityUid, Vec<ScopedPolicy>> = HashMap::new();
        let mut by_resource: HashMap<EntityUid, Vec<ScopedPolicy>> = HashMap::new();
        for scoped in policies.policies().map(ScopedPolicy::new) {
            if let Some(principal) = named_principal(&scoped.principal) {
                by_principal.entry(principal).or_default().push(scoped);
            } else if let Some(resource) = named_resource(&scoped.resource) {
                by_resource.entry(resource).or_default().push(scoped);
            } else {
                everybody.push(scoped);
            }
        }
        let sort = IndexBuilder {
            names: uids.map(|action| names_of(action, actions)).collect(),
        };
        Ok(Self {
            everybody: sort.questions(&everybody, asked)?,
            resource_types: by_resource
                .keys()
                .map(|uid| uid.type_name().clone())
                .collect(),
            by_principal: sort.entries(by_principal)?,
            by_resource: sort.entries(by_resource)?,
        })
    }

    /// The entries for a principal and its ancestors; the same for all of its questions.
    pub(super) fn of_principal(
        &self,
        uid: &EntityUid,
        entities: &Entities,
    ) -> Vec<Arc<IndexEntry>> {
        entries(&self.by_principal, uid, entities)
    }

    /// Every set that may contain an applicable policy.
    pub(super) fn candidates_of<'a>(
        &'a self,
        kind: &K,
        action: usize,
        principal: &'a [Arc<IndexEntry>],
        resource: &EntityUid,
        entities: &Entities,
    ) -> impl Iterator<Item = &'a Candidates> + use<'a, K> {
        let everybody = self.everybody.get(kind);
        let principal = principal.iter().filter_map(move |entry| entry.get(action));
        everybody
            .map(Arc::as_ref)
            .into_iter()
            .chain(principal)
            .chain(self.of_resource(action, resource, entities))
    }

    fn of_resource(&self, action: usize, uid: &EntityUid, entities: &Entities) -> Vec<&Candidates> {
        if self.resource_types.is_empty() {
            return Vec::new();
        }
        std::iter::once(uid)
            .chain(entities.ancestors(uid).into_iter().flatten())
            .filter(|uid| self.resource_types.contains(uid.type_name()))
            .filter_map(|uid| self.by_resource.get(uid)?.get(action))
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

/// A policy with its scope constraints.
struct ScopedPolicy {
    /// Without its source text, since a policy may be in many sets and only reports need the text.
    policy: Policy,
    reads: FactsRead,
    principal: PrincipalConstraint,
    action: ActionConstraint,
    resource: ResourceConstraint,
}

impl ScopedPolicy {
    fn new(policy: &Policy) -> Self {
        Self {
            policy: Policy::from(policy.as_ref().clone()),
            reads: FactsRead::of(policy),
            principal: policy.principal_constraint(),
            action: policy.action_constraint(),
            resource: policy.resource_constraint(),
        }
    }

    /// Whether a scope that names neither principal nor resource accepts these types.
    fn matches_kinds(&self, principal: &str, resource: &str) -> bool {
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

/// Builds the policy sets for actions.
struct IndexBuilder {
    /// By the number of the action.
    names: Vec<HashSet<EntityUid>>,
}

impl IndexBuilder {
    fn questions<K: Eq + Hash>(
        &self,
        policies: &[ScopedPolicy],
        asked: impl Iterator<Item = AskedTypes<K>>,
    ) -> Result<HashMap<K, Arc<Candidates>>, Box<PolicySetError>> {
        let mut made: HashMap<Vec<usize>, Arc<Candidates>> = HashMap::new();
        let mut questions = HashMap::new();
        let speaking: Vec<Vec<usize>> = self
            .names
            .iter()
            .map(|names| indices(policies, |policy| covers_action(&policy.action, names)))
            .collect();
        for asked in asked {
            let Some(speaking) = speaking.get(asked.action) else {
                continue;
            };
            let chosen: Vec<usize> = speaking
                .iter()
                .copied()
                .filter(|&place| {
                    policies.get(place).is_some_and(|policy| {
                        policy.matches_kinds(&asked.principal, &asked.resource)
                    })
                })
                .collect();
            let set = if let Some(set) = made.get(&chosen) {
                Arc::clone(set)
            } else {
                let set = Arc::new(policy_set(policies, &chosen)?);
                made.insert(chosen, Arc::clone(&set));
                set
            };
            questions.insert(asked.kind, set);
        }
        Ok(questions)
    }

    fn entries(
        &self,
        policies: HashMap<EntityUid, Vec<ScopedPolicy>>,
    ) -> Result<HashMap<EntityUid, Arc<IndexEntry>>, Box<PolicySetError>> {
        policies
            .into_iter()
            .map(|(uid, policies)| Ok((uid, Arc::new(self.entry(&policies)?))))
            .collect()
    }

    fn entry(&self, policies: &[ScopedPolicy]) -> Result<IndexEntry, Box<PolicySetError>> {
        let mut entry = IndexEntry::default();
        let mut made: HashMap<Vec<usize>, usize> = HashMap::new();
        for names in &self.names {
            let chosen = indices(policies, |policy| covers_action(&policy.action, names));
            if chosen.is_empty() {
                entry.by_action.push(None);
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
            entry.by_action.push(Some(place));
        }
        Ok(entry)
    }
}

fn indices(policies: &[ScopedPolicy], wanted: impl Fn(&ScopedPolicy) -> bool) -> Vec<usize> {
    let numbered = policies.iter().enumerate();
    numbered
        .filter(|(_, policy)| wanted(policy))
        .map(|(place, _)| place)
        .collect()
}

fn policy_set(
    policies: &[ScopedPolicy],
    chosen: &[usize],
) -> Result<Candidates, Box<PolicySetError>> {
    let chosen: Vec<&ScopedPolicy> = chosen
        .iter()
        .filter_map(|&place| policies.get(place))
        .collect();
    let reads = chosen.iter().map(|scoped| scoped.reads).sum();
    let policies = PolicySet::from_policies(chosen.iter().map(|scoped| scoped.policy.clone()));
    policies
        .map(|policies| Candidates { policies, reads })
        .map_err(Box::new)
}
