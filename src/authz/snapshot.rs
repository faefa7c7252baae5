//! One immutable policy set with its schema: what a request is decided by from start to end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use cedar_policy::entities_errors::EntitiesError;
use cedar_policy::{
    AuthorizationError, Authorizer, Effect, Entities, Entity, EntityUid, PolicySet, Request,
    Response, Schema,
};

use super::catalogue::Catalogue;
use super::decision::{Decision, Denial, EvaluationError, Outcome};
use super::entities::Builder;
use super::facts::FactsCache;
use super::fault::LoadError;
use super::folder::Folder;
use super::groups::Groups;
use super::load;
use super::principal::Principal;
use super::question::{PrincipalKind, Question, Resource, ResourceKind};
use crate::domain::permission::Permission;

/// What Cedar wants to see.
type Inputs<'a> = (Request, Cow<'a, Entities>);

/// What Cedar was given for one question.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    /// `None` where they are those that were prepared for the principal.
    pub(super) entities: Option<Entities>,
}

/// Cedar's answer, by which policies, and what it was given.
type Answer<'a> = (Response, &'a PolicySet, Asked);

/// Where a policy stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's name within the policy folder.
    pub file: String,
    /// The line of its first annotation, from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What must hold whatever anybody edits: each request that the policies allow, it allows, too.
#[derive(Debug, Clone)]
pub struct Invariant {
    /// The file's name without its extension.
    pub name: String,
    /// Its policies; they are never evaluated for a request.
    pub policies: PolicySet,
    /// Where each of them stands, by `@id`.
    pub places: BTreeMap<String, Place>,
}

/// Policies, schema and digest, checked and ready to decide.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) schema: Schema,
    pub(super) policies: PolicySet,
    /// By `@id`.
    pub(super) places: BTreeMap<String, Place>,
    pub(super) invariants: Vec<Invariant>,
    pub(super) groups: Groups,
    pub(super) catalogue: Catalogue,
    /// Every action and group of the schema: without them `action in Action::"reads"` is false.
    pub(super) actions: Entities,
    pub(super) digest: Arc<str>,
    pub(super) facts: FactsCache,
    pub(super) authorizer: Authorizer,
}

impl Snapshot {
    /// Reads and checks a policy folder.
    ///
    /// # Errors
    ///
    /// Every fault of the folder: what cannot be read, parsed or validated (warnings included), a
    /// missing or doubled `@id`, a name that the service and the schema do not share.
    pub fn load(dir: &Path) -> Result<Self, LoadError> {
        Self::of(&Folder::read(dir)?)
    }

    /// Checks what was read of a policy folder.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::load`], but for reading.
    pub fn of(folder: &Folder) -> Result<Self, LoadError> {
        load::load(folder).map_err(LoadError::new)
    }

    /// Where the policy of this `@id` stands.
    #[must_use]
    pub fn place(&self, policy: &str) -> Option<&Place> {
        self.places.get(policy)
    }

    /// SHA-256 over names and contents of the schema and the policy files, in lowercase hex.
    #[must_use]
    pub const fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// The roles and permissions that exist.
    #[must_use]
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The schema, for the security team's tools.
    #[must_use]
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The whole set, for the security team's tools.
    #[must_use]
    pub const fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// What must hold of the set, for the security team's tools.
    #[must_use]
    pub fn invariants(&self) -> &[Invariant] {
        &self.invariants
    }

    pub(super) const fn actions(&self) -> &Entities {
        &self.actions
    }

    /// Answers a question. Whatever goes wrong on the way is a denial.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        self.decide_and_keep(question).0
    }

    /// The same, with what Cedar was given; `None` if the question could not be put.
    pub(super) fn decide_and_keep(&self, question: &Question<'_>) -> (Decision, Option<Asked>) {
        match self.ask(question) {
            Ok(Some((response, group, asked))) => {
                let decision = self.conclude(question.permission, &response, group);
                if response.decision() == cedar_policy::Decision::Allow && !decision.is_allowed() {
                    metrics::counter!("charter_authz_errored_forbids_total").increment(1);
                    tracing::error!(
                        permission = %question.permission,
                        principal = question.principal.caller().principal_id(),
                        policies = ?decision.determining,
                        errors = ?decision.errors,
                        "a forbid could not be evaluated, what it may have forbidden is denied"
                    );
                }
                (decision, Some(asked))
            }
            Ok(None) => (self.denied(question.permission), None),
            Err(error) => {
                tracing::error!(
                    permission = %question.permission,
                    principal = question.principal.caller().principal_id(),
                    error = error.as_ref() as &dyn Error,
                    "a question could not be put to the policies, it is denied"
                );
                (self.denied(question.permission), None)
            }
        }
    }

    /// Answers a question again that was asked of this or another snapshot. `entities` are those
    /// of [`Snapshot::with_actions`]. What this schema does not let be asked is denied.
    #[must_use]
    pub fn decide_again(
        &self,
        permission: Permission,
        request: &Request,
        entities: &Entities,
    ) -> Decision {
        let kind = self.kind_if_askable(permission, request);
        match kind.and_then(|kind| self.groups.get(permission, kind)) {
            Some(group) => {
                let response = self.authorizer.is_authorized(request, group, entities);
                self.conclude(permission, &response, group)
            }
            None => self.denied(permission),
        }
    }

    /// Entities with this schema's actions and groups.
    ///
    /// # Errors
    ///
    /// They do not fit together.
    pub fn with_actions(
        &self,
        entities: impl IntoIterator<Item = Entity>,
    ) -> Result<Entities, Box<EntitiesError>> {
        let actions = self.actions.clone();
        actions.add_entities(entities, None).map_err(Box::new)
    }

    fn kind_if_askable(&self, permission: Permission, request: &Request) -> Option<PrincipalKind> {
        let (principal, resource) = (request.principal()?, request.resource()?);
        let kind = PrincipalKind::of_type(principal.type_name().basename())?;
        let resource_kind = ResourceKind::of_type(resource.type_name().basename())?;
        self.catalogue.action(permission, kind, resource_kind)?;
        let name = resource.id().unescaped();
        match resource_kind {
            ResourceKind::Role => self.catalogue.role(name).map(|_| kind),
            ResourceKind::Permission => self.catalogue.permission(name).map(|_| kind),
            _ => Some(kind),
        }
    }

    /// What the whole set answers to a question when each of its policies is evaluated: slow, and
    /// by definition right. `None` if the schema does not let the question be asked.
    ///
    /// # Errors
    ///
    /// The question's inputs could not be built.
    pub fn ask_every_policy(
        &self,
        question: &Question<'_>,
    ) -> Result<Option<Response>, Box<dyn Error>> {
        let principal = self.prepared(question.principal);
        let Some((request, entities)) = self.inputs(&principal, question)? else {
            return Ok(None);
        };
        let response = self
            .authorizer
            .is_authorized(&request, &self.policies, &entities);
        Ok(Some(response))
    }

    fn ask(&self, question: &Question<'_>) -> Result<Option<Answer<'_>>, Box<dyn Error>> {
        let principal = self.prepared(question.principal);
        let Some((request, entities)) = self.inputs(&principal, question)? else {
            return Ok(None);
        };
        let Some(group) = self.groups.get(question.permission, principal.kind) else {
            return Ok(None);
        };
        let response = self.authorizer.is_authorized(&request, group, &entities);
        let entities = match (entities, &principal) {
            (Cow::Borrowed(_), Cow::Borrowed(_)) => None,
            (entities, _) => Some(entities.into_owned()),
        };
        Ok(Some((response, group, Asked { request, entities })))
    }

    /// The principal in this snapshot's names.
    fn prepared<'a>(&self, principal: &'a Principal) -> Cow<'a, Principal> {
        if principal.digest == self.digest {
            Cow::Borrowed(principal)
        } else {
            Cow::Owned(Principal::prepare(principal.caller(), self))
        }
    }

    /// The request and its entities; `None` if the schema does not let it be asked. The schema is
    /// not consulted beyond that: load has tried every kind of request against it.
    fn inputs<'a>(
        &self,
        principal: &'a Principal,
        question: &Question<'_>,
    ) -> Result<Option<Inputs<'a>>, Box<dyn Error>> {
        let build = Builder {
            catalogue: &self.catalogue,
        };
        let resource = &question.resource;
        let (Some(prepared), Some(action), Some(resource_uid)) = (
            &principal.prepared,
            self.catalogue
                .action(question.permission, principal.kind, resource.kind()),
            self.resource_uid(principal, resource),
        ) else {
            return Ok(None);
        };
        let context = self.facts.get(
            question.source_ip,
            question.now,
            principal.kind,
            self.catalogue.method(principal.kind),
        )?;
        let request = Request::new(
            prepared.uid.clone(),
            action.clone(),
            resource_uid,
            context,
            None,
        )?;
        let unknown = build.resource(resource, principal.caller())?;
        let entities = if unknown.is_empty() {
            Cow::Borrowed(&prepared.entities)
        } else {
            Cow::Owned(prepared.entities.clone().upsert_entities(unknown, None)?)
        };
        Ok(Some((request, entities)))
    }

    /// Writing an id out is most of what its entity id costs; the tenant's own is at hand.
    fn resource_uid(&self, principal: &Principal, resource: &Resource<'_>) -> Option<EntityUid> {
        if let (Resource::Organization(organization), Some(prepared)) =
            (resource, &principal.prepared)
            && organization.id == principal.caller().organization().id
        {
            return Some(prepared.organization.clone());
        }
        Builder {
            catalogue: &self.catalogue,
        }
        .resource_uid(resource)
    }

    fn denied(&self, permission: Permission) -> Decision {
        Decision {
            outcome: Outcome::Deny(Denial::NotPermitted),
            permission,
            determining: Vec::new(),
            errors: Vec::new(),
            policy_digest: Arc::clone(&self.digest),
        }
    }

    fn conclude(&self, permission: Permission, response: &Response, group: &PolicySet) -> Decision {
        let diagnostics = response.diagnostics();
        let mut determining: Vec<String> = diagnostics.reason().map(ToString::to_string).collect();
        determining.sort_unstable();
        let mut errors = Vec::new();
        let mut errored_forbids = Vec::new();
        for error in diagnostics.errors() {
            let AuthorizationError::PolicyEvaluationError(error) = error;
            let policy = error.policy_id();
            let is_forbid = group
                .policy(policy)
                .is_none_or(|policy| policy.effect() == Effect::Forbid);
            if is_forbid {
                errored_forbids.push(policy.to_string());
            }
            errors.push(EvaluationError {
                policy: policy.to_string(),
                message: error.inner().to_string(),
            });
        }
        errors.sort_unstable();
        let outcome = match response.decision() {
            // Cedar skips what it cannot evaluate; a forbid that is skipped does not forbid.
            cedar_policy::Decision::Allow if !errored_forbids.is_empty() => {
                errored_forbids.sort_unstable();
                determining = errored_forbids;
                Outcome::Deny(Denial::ForbiddenByPolicy)
            }
            cedar_policy::Decision::Allow => Outcome::Allow,
            cedar_policy::Decision::Deny if determining.is_empty() => {
                Outcome::Deny(Denial::NotPermitted)
            }
            cedar_policy::Decision::Deny => Outcome::Deny(Denial::ForbiddenByPolicy),
        };
        Decision {
            outcome,
            permission,
            determining,
            errors,
            policy_digest: Arc::clone(&self.digest),
        }
    }
}
