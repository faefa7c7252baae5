//! One immutable policy set with its schema: what a request is decided by from start to end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use cedar_policy::{
    AuthorizationError, Authorizer, Effect, Entities, EntityUid, PolicyId, PolicySet, Request,
    Response, Schema,
};

use super::catalogue::Catalogue;
use super::decision::{Decision, Denial, EvaluationError, Outcome};
use super::entities::Builder;
use super::facts::FactsCache;
use super::fault::LoadError;
use super::folder::Folder;
use super::index::{Entry, Index};
use super::load;
use super::principal::Principal;
use super::question::{Question, Resource};

/// What Cedar wants to see.
struct Inputs<'a> {
    request: Request,
    entities: Cow<'a, Entities>,
    /// The policies that name the principal or one of its ancestors.
    of_principal: Cow<'a, [Arc<Entry>]>,
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
    pub(super) index: Index,
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
        match self.ask(question) {
            Ok(Some(answer)) => self.conclude(question, answer),
            Ok(None) => self.denied(question),
            Err(error) => {
                tracing::error!(
                    permission = %question.permission,
                    principal = question.principal.caller().principal_id(),
                    error = error.as_ref() as &dyn Error,
                    "a question could not be put to the policies, it is denied"
                );
                self.denied(question)
            }
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
        let Some(inputs) = self.inputs(&principal, question)? else {
            return Ok(None);
        };
        let response =
            self.authorizer
                .is_authorized(&inputs.request, &self.policies, &inputs.entities);
        Ok(Some(response))
    }

    fn ask(&self, question: &Question<'_>) -> Result<Option<Answer>, Box<dyn Error>> {
        let principal = self.prepared(question.principal);
        let Some(inputs) = self.inputs(&principal, question)? else {
            return Ok(None);
        };
        let Some(resource) = inputs.request.resource() else {
            return Ok(None);
        };
        let candidates = self.index.candidates(
            (
                question.permission,
                principal.kind,
                question.resource.kind(),
            ),
            &inputs.of_principal,
            resource,
            &inputs.entities,
        );
        let mut answer = Answer::default();
        for policies in candidates {
            answer.add(
                &self
                    .authorizer
                    .is_authorized(&inputs.request, policies, &inputs.entities),
            );
        }
        Ok(Some(answer))
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

    fn denied(&self, question: &Question<'_>) -> Decision {
        Decision {
            outcome: Outcome::Deny(Denial::NotPermitted),
            permission: question.permission,
            determining: Vec::new(),
            errors: Vec::new(),
            policy_digest: Arc::clone(&self.digest),
        }
    }

    fn conclude(&self, question: &Question<'_>, mut answer: Answer) -> Decision {
        answer.errors.sort_unstable();
        let is_forbid = |error: &&EvaluationError| {
            self.policies
                .policy(&PolicyId::new(&error.policy))
                .is_none_or(|policy| policy.effect() == Effect::Forbid)
        };
        let errored_forbids: Vec<String> = answer
            .errors
            .iter()
            .filter(is_forbid)
            .map(|error| error.policy.clone())
            .collect();
        let (outcome, mut determining) = if !answer.forbids.is_empty() {
            (Outcome::Deny(Denial::ForbiddenByPolicy), answer.forbids)
        } else if answer.permits.is_empty() {
            (Outcome::Deny(Denial::NotPermitted), Vec::new())
        } else if errored_forbids.is_empty() {
            (Outcome::Allow, answer.permits)
        } else {
            // Cedar skips what it cannot evaluate; a forbid that is skipped does not forbid.
            metrics::counter!("charter_authz_errored_forbids_total").increment(1);
            tracing::error!(
                permission = %question.permission,
                principal = question.principal.caller().principal_id(),
                policies = ?errored_forbids,
                errors = ?answer.errors,
                "a forbid could not be evaluated, what it may have forbidden is denied"
            );
            (Outcome::Deny(Denial::ForbiddenByPolicy), errored_forbids)
        };
        determining.sort_unstable();
        Decision {
            outcome,
            permission: question.permission,
            determining,
            errors: answer.errors,
            policy_digest: Arc::clone(&self.digest),
        }
    }
}

/// What the candidate sets answered, together what their union would answer.
#[derive(Default)]
struct Answer {
    permits: Vec<String>,
    forbids: Vec<String>,
    errors: Vec<EvaluationError>,
}

impl Answer {
    /// Cedar names as reasons the satisfied forbids, and the satisfied permits only where there is
    /// none.
    fn add(&mut self, response: &Response) {
        let diagnostics = response.diagnostics();
        let reasons = diagnostics.reason().map(ToString::to_string);
        match response.decision() {
            cedar_policy::Decision::Allow => self.permits.extend(reasons),
            cedar_policy::Decision::Deny => self.forbids.extend(reasons),
        }
        self.errors.extend(diagnostics.errors().map(|error| {
            let AuthorizationError::PolicyEvaluationError(error) = error;
            EvaluationError {
                policy: error.policy_id().to_string(),
                message: error.inner().to_string(),
            }
        }));
    }
}
