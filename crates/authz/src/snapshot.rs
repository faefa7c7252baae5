//! One immutable policy set with its schema: what a request is decided by from start to end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use cedar_policy::entities_errors::EntitiesError;
use cedar_policy::{
    Authorizer, Entities, Entity, EntityUid, PolicyId, PolicySet, Request, Response, Schema,
};

use super::answer::Answer;
use super::catalogue::Catalogue;
use super::decision::{Decision, Denial, Outcome};
use super::entities::Builder;
use super::facts::FactsCache;
pub use super::failures::Failure;
use super::failures::Failures;
use super::fault::{LoadError, Source};
use super::folder::Folder;
use super::index::{Entry, Index};
use super::known::Known;
use super::load;
use super::principal::Principal;
use super::question::{PrincipalKind, Question, Resource, ResourceKind};
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;

/// What Cedar wants to see.
struct Inputs<'a> {
    request: Request,
    entities: Cow<'a, Entities>,
    /// The policies that name the principal or one of its ancestors.
    of_principal: Cow<'a, [Arc<Entry>]>,
}

/// What Cedar was given for one question.
#[derive(Debug)]
pub struct Asked {
    pub request: Request,
    /// `None` where they are those that were prepared for the principal.
    pub entities: Option<Entities>,
}

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

/// A file of policies, as it was read.
#[derive(Debug)]
pub(super) struct PolicyFile {
    pub(super) source: Source,
    /// The `@id`s of its policies.
    pub(super) policies: Vec<PolicyId>,
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
    pub(super) schema_source: Source,
    pub(super) schema_digest: Arc<str>,
    /// By file name.
    pub(super) sources: BTreeMap<String, PolicyFile>,
    pub(super) policies: PolicySet,
    /// By `@id`.
    pub(super) places: BTreeMap<String, Place>,
    pub(super) invariants: Vec<Invariant>,
    pub(super) index: Index,
    pub(super) catalogue: Catalogue,
    /// Every action and group of the schema: without them `action in Action::"reads"` is false.
    pub(super) actions: Entities,
    pub(super) digest: Arc<str>,
    pub(super) facts: FactsCache,
    pub(super) failures: Failures,
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
        load::load(folder, &Known::Nothing).map_err(LoadError::new)
    }

    /// The same; what is as it was in `before` is neither parsed nor validated again.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::of`].
    pub fn after(before: &Self, folder: &Folder) -> Result<Self, LoadError> {
        load::load(folder, &Known::Checked(before)).map_err(LoadError::new)
    }

    /// A folder that this very program has in force: it was checked, and is only parsed.
    ///
    /// # Errors
    ///
    /// It does not parse.
    pub fn of_accepted(folder: &Folder) -> Result<Self, LoadError> {
        load::load(folder, &Known::Itself).map_err(LoadError::new)
    }

    /// The name of the file that a policy of this `@id` is in.
    #[must_use]
    pub fn file_of(&self, policy: &str) -> Option<&str> {
        self.places.get(policy).map(|place| place.file.as_str())
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

    /// SHA-256 of the schema's text, in lowercase hex.
    #[must_use]
    pub fn schema_digest(&self) -> &str {
        &self.schema_digest
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

    pub const fn actions(&self) -> &Entities {
        &self.actions
    }

    /// Answers a question. Whatever goes wrong on the way is a denial.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        self.decide_and_keep(question).0
    }

    /// The same, with what Cedar was given; `None` if the question could not be put.
    pub fn decide_and_keep(&self, question: &Question<'_>) -> (Decision, Option<Asked>) {
        match self.ask(question) {
            Ok(Some((answer, asked))) => {
                self.note_failures(question, &answer);
                let is_permitted = answer.is_permitted();
                let decision = answer.conclude(self, question.permission);
                if is_permitted && !decision.is_allowed() {
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

    /// The policies that could not be evaluated lately for a question of this service.
    #[must_use]
    pub fn failures(&self, now: Timestamp) -> Vec<Failure> {
        self.failures.recent(now)
    }

    fn note_failures(&self, question: &Question<'_>, answer: &Answer) {
        if answer.errors.is_empty() {
            return;
        }
        metrics::counter!("charter_authz_evaluation_errors_total")
            .increment(answer.errors.len() as u64);
        let news = self.failures.note(&answer.errors, question.now);
        if !news.is_empty() {
            tracing::error!(
                permission = %question.permission,
                policies = ?news,
                errors = ?answer.errors,
                "policies could not be evaluated: a permit counts for nothing, a forbid denies"
            );
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
        let Some((kinds, principal, resource)) = self.askable(permission, request) else {
            return self.denied(permission);
        };
        let of_principal = self.index.of_principal(principal, entities);
        let candidates = self
            .index
            .candidates(kinds, &of_principal, resource, entities);
        let answer = Answer::of(&self.authorizer, candidates, request, entities);
        answer.conclude(self, permission)
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

    /// Whether this schema lets the question be asked; the service denies what it does not.
    #[must_use]
    pub fn can_ask(&self, permission: Permission, request: &Request) -> bool {
        self.askable(permission, request).is_some()
    }

    /// The kind of a question, its principal and its resource, if this schema lets it be asked.
    fn askable<'a>(
        &self,
        permission: Permission,
        request: &'a Request,
    ) -> Option<(
        (Permission, PrincipalKind, ResourceKind),
        &'a EntityUid,
        &'a EntityUid,
    )> {
        let (principal, resource) = (request.principal()?, request.resource()?);
        let kind = PrincipalKind::of_type(principal.type_name().basename())?;
        let resource_kind = ResourceKind::of_type(resource.type_name().basename())?;
        self.catalogue.action(permission, kind, resource_kind)?;
        let name = resource.id().unescaped();
        match resource_kind {
            ResourceKind::Role => drop(self.catalogue.role(name)?),
            ResourceKind::Permission => drop(self.catalogue.permission(name)?),
            _ => {}
        }
        Some(((permission, kind, resource_kind), principal, resource))
    }

    /// What Cedar is given for a question; `None` if the schema does not let it be asked.
    ///
    /// # Errors
    ///
    /// The question's inputs could not be built.
    pub fn given(
        &self,
        question: &Question<'_>,
    ) -> Result<Option<(Request, Entities)>, Box<dyn Error>> {
        let principal = self.prepared(question.principal);
        let inputs = self.inputs(&principal, question)?;
        Ok(inputs.map(|inputs| (inputs.request, inputs.entities.into_owned())))
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
        let Some(inputs) = self.inputs(&principal, question)? else {
            return Ok(None);
        };
        let response =
            self.authorizer
                .is_authorized(&inputs.request, &self.policies, &inputs.entities);
        Ok(Some(response))
    }

    fn ask(&self, question: &Question<'_>) -> Result<Option<(Answer, Asked)>, Box<dyn Error>> {
        let principal = self.prepared(question.principal);
        let Some(inputs) = self.inputs(&principal, question)? else {
            return Ok(None);
        };
        let Some(resource) = inputs.request.resource() else {
            return Ok(None);
        };
        let kinds = (
            question.permission,
            principal.kind,
            question.resource.kind(),
        );
        let candidates =
            self.index
                .candidates(kinds, &inputs.of_principal, resource, &inputs.entities);
        let answer = Answer::of(
            &self.authorizer,
            candidates,
            &inputs.request,
            &inputs.entities,
        );
        let entities = match (inputs.entities, &principal) {
            (Cow::Borrowed(_), Cow::Borrowed(_)) => None,
            (entities, _) => Some(entities.into_owned()),
        };
        let request = inputs.request;
        Ok(Some((answer, Asked { request, entities })))
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
        let inputs = if unknown.is_empty() {
            Inputs {
                request,
                entities: Cow::Borrowed(&prepared.entities),
                of_principal: Cow::Borrowed(&prepared.policies),
            }
        } else {
            // A caller that asks about itself may have other parents by now.
            let changed = unknown.iter().any(|entity| {
                let uid = entity.uid();
                uid == prepared.uid || prepared.entities.is_ancestor_of(&uid, &prepared.uid)
            });
            let entities = prepared.entities.clone().upsert_entities(unknown, None)?;
            Inputs {
                request,
                of_principal: if changed {
                    Cow::Owned(self.index.of_principal(&prepared.uid, &entities))
                } else {
                    Cow::Borrowed(&prepared.policies)
                },
                entities: Cow::Owned(entities),
            }
        };
        Ok(Some(inputs))
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
            refusal: None,
            permission,
            determining: Vec::new(),
            errors: Vec::new(),
            policy_digest: Arc::clone(&self.digest),
        }
    }
}
