//! `POST /policies/access`: lists who may act on a resource, or what a principal may do.

use std::collections::BTreeMap;
use std::sync::Arc;

use charter_macros::boxed;
use salvo::prelude::Json;
use salvo::{Depot, Request, handler};
use serde_json::{Map, Value};

use charter_authn::operator::Operator;
use charter_authn::secrets::CursorPosition;
use charter_authz::kinds::ResourceKind;
use charter_authz::principal::Principal;
use charter_authz::question::Question;
use charter_authz::snapshot::Snapshot;
use charter_domain::caller::Caller;
use charter_domain::id::OrganizationId;
use charter_domain::permission::Permission;
use charter_store::EntityRef;

use super::access_body::{Access, AccessBody, Entity};
use super::admission::OperatorRequest;
use super::candidates::{self, bad_cursor};
use super::custom_access;
use super::evaluation::{ChosenPolicies, EvaluationFacts};
use super::named::{self, Named, RESOURCES, SUBJECTS};
use super::sent_folder::{read_body, refused};
use super::work;
use crate::extract::cursor_scope::CursorScope;
use crate::extract::fields::{Fields, present};
use crate::extract::loaded::{Loaded, is_enabled};
use crate::respond::{ApiError, Detail, Surface};

/// The kinds of subjects, in the order of pages.
const SUBJECT_KINDS: [ResourceKind; 2] = [ResourceKind::User, ResourceKind::ServiceAccount];
/// The kinds of resources, in the order of pages.
const RESOURCE_KINDS: [ResourceKind; 7] = [
    ResourceKind::Organization,
    ResourceKind::Role,
    ResourceKind::Permission,
    ResourceKind::User,
    ResourceKind::Account,
    ResourceKind::ServiceAccount,
    ResourceKind::AccessKey,
];

/// Lists one page.
#[handler]
#[boxed]
pub(super) async fn list(
    request: &mut Request,
    depot: &mut Depot,
) -> Result<Json<AccessBody>, ApiError> {
    let asked = OperatorRequest::of(request, depot)?;
    let body = read_body(request, &asked).await?;
    let state = asked.state.clone();
    // A cursor belongs to the question without `cursor`.
    let same: BTreeMap<_, _> = body.iter().filter(|(name, _)| *name != "cursor").collect();
    let scope = CursorScope::new(&state.cursors, &("workbench/access", same))?;
    if body.contains_key("domain") {
        return custom_access::list(body, &asked, &scope).await.map(Json);
    }
    let question = AccessQuestion::read(Fields::new(body), &asked, &scope)?;
    let (_, snapshot) = question.policies.snapshot(&asked.state).await?;
    let operator = asked.operator();
    let cursor = question.cursor;
    let page = match question.form {
        Form::Who(permission, resource, organization) => {
            let about = (permission, &resource, organization);
            who(&operator, &snapshot, about, cursor).await?
        }
        Form::What(subject, permission, resource) => {
            let about = (&subject, permission, resource);
            what(&operator, &snapshot, about, cursor).await?
        }
    };
    let facts = question.facts;
    let next_cursor = page.next.map(|next| scope.seal(&next)).transpose()?;
    let results = work::run(&asked.state, move |_| {
        let results = evaluate(&snapshot, page.questions, facts);
        drop(snapshot);
        results
    });
    Ok(Json(AccessBody {
        results: results.await?,
        next_cursor,
    }))
}

struct AccessQuestion {
    policies: ChosenPolicies,
    form: Form,
    facts: EvaluationFacts,
    cursor: Option<Cursor>,
}

enum Form {
    /// Who may act on the resource. The organization is for roles and permissions, which belong to none.
    Who(Permission, Named, Option<OrganizationId>),
    /// What the subject may do; without action or resource, everything.
    What(Named, Option<Permission>, Option<Named>),
}

impl AccessQuestion {
    fn read(
        mut fields: Fields,
        asked: &OperatorRequest,
        scope: &CursorScope<'_>,
    ) -> Result<Self, ApiError> {
        let subject = fields.optional::<Map<String, Value>>("subject");
        let action = fields.optional::<Map<String, Value>>("action");
        let resource = fields.optional::<Map<String, Value>>("resource");
        let organization = fields.optional::<String>("organization");
        let cursor = fields.optional::<String>("cursor");
        let context = fields.optional::<Map<String, Value>>("context");
        let name = fields.optional::<String>("policies");
        let folder = fields.optional::<Map<String, Value>>("folder");
        let changes = fields.optional::<Map<String, Value>>("changes");
        fields.finish().map_err(|error| error.on(Surface::Portal))?;
        let broken = |field: &str, rule: &str| refused(vec![Detail::new(field, rule)]);
        let of = |object: Option<Map<String, Value>>, member: &str, types: &[&str]| {
            let named = object
                .map(|object| named::named(&object, types))
                .transpose();
            named.map_err(|error| refused(vec![error.below(member)]))
        };
        let subject = of(present(subject)?, "subject", &SUBJECTS)?;
        let resource = of(present(resource)?, "resource", &RESOURCES)?;
        let permission = present(action)?.map(|object| named::permission(&object));
        let permission = permission.transpose();
        let permission = permission.map_err(|error| refused(vec![error.below("action")]))?;
        let organization = present(organization)?.map(|id| {
            let known = OrganizationId::parse_either(&id);
            known.ok_or_else(|| broken("/organization", "must be the id of an organization"))
        });
        let organization = organization.transpose()?;
        let form = match (subject, permission, resource) {
            (Some(subject), permission, resource) => Form::What(subject, permission, resource),
            (None, Some(permission), Some(resource)) => {
                Form::Who(permission, resource, organization)
            }
            (None, _, _) => {
                let rule = "name a subject, or an action and a resource";
                return Err(broken("/subject", rule));
            }
        };
        let cursor = present(cursor)?.map(|text| scope.open(&text).ok_or_else(bad_cursor));
        Ok(Self {
            policies: ChosenPolicies::read(
                present(name)?,
                present(folder)?,
                present(changes)?,
                &asked.state,
            )?,
            form,
            facts: EvaluationFacts::read(present(context)?.unwrap_or_default(), asked)?,
            cursor: cursor.transpose()?,
        })
    }
}

/// The start of a page: the kind of record, and the position within the kind.
struct Cursor {
    kind: ResourceKind,
    position: String,
}

impl CursorPosition for Cursor {
    fn to_bytes(&self) -> Vec<u8> {
        format!("{}.{}", self.kind.type_name(), self.position).into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, position) = std::str::from_utf8(bytes).ok()?.split_once('.')?;
        let kind = RESOURCE_KINDS.into_iter().find(|it| it.type_name() == kind);
        Some(Self {
            kind: kind?,
            position: position.to_owned(),
        })
    }
}

/// The questions of one page.
struct Page {
    questions: Vec<(Arc<Caller>, Vec<Permission>, Loaded)>,
    next: Option<Cursor>,
}

/// The page of records at the cursor, and the next cursor.
async fn records(
    operator: &Operator<'_>,
    snapshot: &Snapshot,
    organization: OrganizationId,
    kinds: &[ResourceKind],
    cursor: Option<Cursor>,
) -> Result<(ResourceKind, Vec<Named>, Option<Cursor>), ApiError> {
    let tenant = operator.tenant_of(EntityRef::Organization(organization));
    let tenant = tenant.await?;
    let at = match &cursor {
        None => Some(0),
        Some(cursor) => kinds.iter().position(|kind| *kind == cursor.kind),
    };
    let at = at.ok_or_else(bad_cursor)?;
    let kind = *kinds.get(at).ok_or_else(bad_cursor)?;
    let position = cursor.as_ref().map(|cursor| cursor.position.as_str());
    let position = position.filter(|position| !position.is_empty());
    let page = candidates::page(&tenant, kind, snapshot, position).await?;
    let next = match page.next {
        Some(position) => Some(Cursor { kind, position }),
        None => kinds.get(at + 1).map(|kind| Cursor {
            kind: *kind,
            position: String::new(),
        }),
    };
    Ok((kind, page.records, next))
}

async fn who(
    operator: &Operator<'_>,
    snapshot: &Snapshot,
    (permission, named, organization): (Permission, &Named, Option<OrganizationId>),
    cursor: Option<Cursor>,
) -> Result<Page, ApiError> {
    let resource = named::resource(operator, named).await?;
    let resource = resource.ok_or_else(ApiError::not_found)?;
    let organization = resource
        .organization()
        .map(|it| it.id)
        .or(organization)
        .ok_or_else(|| {
            let rule = "name the organization whose members are asked about";
            refused(vec![Detail::new("/organization", rule)])
        })?;
    let page = records(operator, snapshot, organization, &SUBJECT_KINDS, cursor).await?;
    let (_, subjects, next) = page;
    let mut questions = Vec::new();
    for subject in subjects {
        let caller = named::subject(operator, &subject).await?;
        if let Some(caller) = caller.filter(is_enabled) {
            questions.push((Arc::new(caller), vec![permission], resource.clone()));
        }
    }
    Ok(Page { questions, next })
}

async fn what(
    operator: &Operator<'_>,
    snapshot: &Snapshot,
    (subject, permission, resource): (&Named, Option<Permission>, Option<Named>),
    cursor: Option<Cursor>,
) -> Result<Page, ApiError> {
    let subject = named::subject(operator, subject).await?;
    let subject = Arc::new(subject.ok_or_else(ApiError::not_found)?);
    let permissions = permission.map_or_else(|| Permission::ALL.to_vec(), |it| vec![it]);
    let (asked, next) = if let Some(resource) = resource {
        (vec![resource], None)
    } else {
        // Only resource types that the permissions take.
        let catalogue = snapshot.catalogue();
        let is_asked = |kind: &ResourceKind| {
            let mut pairs = permissions.iter().flat_map(|it| catalogue.pairs(*it));
            pairs.any(|(_, about)| about == *kind)
        };
        let kinds: Vec<ResourceKind> = RESOURCE_KINDS.into_iter().filter(is_asked).collect();
        let organization = subject.organization().id;
        let page = records(operator, snapshot, organization, &kinds, cursor).await?;
        (page.1, page.2)
    };
    let mut questions = Vec::new();
    if is_enabled(&subject) {
        for resource in asked {
            if let Some(resource) = named::resource(operator, &resource).await? {
                questions.push((Arc::clone(&subject), permissions.clone(), resource));
            }
        }
    }
    Ok(Page { questions, next })
}

fn evaluate(
    snapshot: &Snapshot,
    questions: Vec<(Arc<Caller>, Vec<Permission>, Loaded)>,
    facts: EvaluationFacts,
) -> Vec<Access> {
    let mut results = Vec::new();
    let mut prepared: Option<(Arc<Caller>, Principal)> = None;
    for (caller, permissions, resource) in questions {
        let principal = match prepared.take() {
            Some((of, principal)) if Arc::ptr_eq(&of, &caller) => principal,
            _ => Principal::prepare(&caller, snapshot),
        };
        for permission in permissions {
            let asked = resource.as_resource();
            let decision = snapshot.decide(&Question {
                principal: &principal,
                permission,
                resource: asked,
                source_ip: facts.source_ip,
                now: facts.now,
            });
            if decision.is_allowed() {
                results.push(Access {
                    subject: Entity::named(
                        match &*caller {
                            Caller::ServiceAccount(_) => "ServiceAccount",
                            Caller::User(_) => "User",
                        },
                        caller.principal_id(),
                    ),
                    action: permission.as_str().to_owned(),
                    resource: Entity::named(asked.kind().type_name(), resource.id()),
                    policies: decision.determining.clone(),
                });
            }
        }
        prepared = Some((caller, principal));
    }
    results
}
