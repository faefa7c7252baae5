//! `POST /access/v1/evaluation` on the operations listener: may this subject do that? (contract
//! section 6; `OpenID` `AuthZEN` Authorization API 1.0, section 6)
//!
//! Entities come from the store. `context` and `properties` are taken and not believed: the facts
//! are the asker's address and the server's clock.

use std::sync::Arc;

use salvo::prelude::Json;
use salvo::{Depot, Request, handler};
use serde::Serialize;
use serde_json::{Map, Value};

use charter_authn::operator::Operator;
use charter_authz::decision::Outcome;
use charter_authz::principal::Principal;
use charter_authz::resource::Resource;
use charter_decision_log as decision_log;
use charter_domain::access_key::AccessKey;
use charter_domain::account::Account;
use charter_domain::caller::Caller;
use charter_domain::id::{OrganizationId, UserId};
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::service_account::ServiceAccount;
use charter_domain::user::User;
use charter_store::{self as store, EntityRef};

use crate::edge::context::RequestContext;
use crate::extract::authenticate::collect;
use crate::extract::authorizer::wait_for_room;
use crate::extract::body_value::Broken;
use crate::extract::fields::{Fields, present};
use crate::extract::query::NoParameters;
use crate::extract::{body, json};
use crate::respond::{ApiError, Surface, echo};
use crate::state::State;

/// Answers one question.
#[handler]
pub async fn evaluate(request: &mut Request, depot: &mut Depot) -> Result<Json<Answer>, ApiError> {
    let state = State::of(depot)?;
    let context = RequestContext::behind_edge(depot)?;
    let credentials = collect(request, context.client_ip);
    let operator = state.operators.authenticate(&credentials)?;
    let body = body::read(request, &context.body_limits).await?;
    NoParameters::check(request)?;
    body::require_json(request.method(), request.headers())?;
    let asked = Asked::read(Fields::new(json::parse_object(&body)?))?;
    let asker = Asker {
        state: &state,
        operator,
    };
    let decision = match asker.subject(asked.subject).await? {
        Some(caller) => match asker.resource(asked.resource).await? {
            Some(resource) => {
                wait_for_room(&asker.state.decisions).await?;
                asker.decide(&caller, asked.permission, &resource, context)?
            }
            None => false,
        },
        None => false,
    };
    Ok(Json(Answer { decision }))
}

/// The answer.
#[derive(Serialize)]
pub struct Answer {
    decision: bool,
}

struct Asked {
    subject: Named,
    permission: Permission,
    resource: Named,
}

/// A thing by type and id, as the question names it.
enum Named {
    EntityRef(EntityRef),
    Role(String),
    Permission(String),
    /// A well-formed type with an id that nothing can have.
    Nothing,
}

impl Asked {
    fn read(mut fields: Fields) -> Result<Self, ApiError> {
        let subject = fields.required_by("subject", |object| {
            named(object, &["ServiceAccount", "User"])
        });
        let permission = fields.required_by("action", permission);
        let resource = fields.required_by("resource", |object| {
            named(
                object,
                &[
                    "Organization",
                    "Account",
                    "ServiceAccount",
                    "AccessKey",
                    "User",
                    "Role",
                    "Permission",
                ],
            )
        });
        fields.optional::<Map<String, Value>>("context");
        fields.finish().map_err(|error| error.on(Surface::Portal))?;
        Ok(Self {
            subject: present(subject)?,
            permission: present(permission)?,
            resource: present(resource)?,
        })
    }
}

fn permission(object: Map<String, Value>) -> Result<Permission, Broken> {
    let name = text(&object, "name")?;
    name.parse()
        .map_err(|_| Broken::at("/name", format!("there is no action {}", echo(name))))
}

fn named(object: Map<String, Value>, types: &[&str]) -> Result<Named, Broken> {
    let (of, id) = (text(&object, "type")?, text(&object, "id")?);
    if !types.contains(&of) {
        let known = types.join("`, `");
        return Err(Broken::at("/type", format!("must be one of `{known}`")));
    }
    let thing = match of {
        "Role" => return Ok(Named::Role(id.to_owned())),
        "Permission" => return Ok(Named::Permission(id.to_owned())),
        // Access tokens name people and organizations by UUID.
        "Organization" => {
            let known = id.parse().ok();
            let known = known.or_else(|| OrganizationId::parse_uuid(id));
            known.map(EntityRef::Organization)
        }
        "Account" => id.parse().ok().map(EntityRef::Account),
        "ServiceAccount" => id.parse().ok().map(EntityRef::ServiceAccount),
        "AccessKey" => id.parse().ok().map(EntityRef::AccessKey),
        _ => {
            let known = id.parse().ok();
            known
                .or_else(|| UserId::parse_uuid(id))
                .map(EntityRef::User)
        }
    };
    Ok(thing.map_or(Named::Nothing, Named::EntityRef))
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Broken> {
    object
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| Broken::at(format!("/{name}"), "must be a string"))
}

struct Asker<'a> {
    state: &'a State,
    operator: Operator<'a>,
}

/// What is asked about, loaded.
enum Loaded {
    Organization(Organization),
    Account(Account, Organization),
    ServiceAccount(ServiceAccount, Account, Organization),
    AccessKey(AccessKey, ServiceAccount, Account, Organization),
    User(User, Organization),
    Role(String),
    Permission(String),
}

impl Asker<'_> {
    /// Who is asked about; `None` for nobody, and for who could not act now whatever policy says.
    async fn subject(&self, named: Named) -> Result<Option<Caller>, ApiError> {
        let Named::EntityRef(named) = named else {
            return Ok(None);
        };
        let found = async { self.operator.tenant_of(named).await?.caller(named).await };
        let caller = found_or_none(found.await)?.flatten();
        Ok(caller.filter(|caller| match caller {
            Caller::ServiceAccount(caller) => {
                caller.service_account().is_active && caller.account().is_active
            }
            Caller::User(caller) => caller.user().is_active,
        }))
    }

    async fn resource(&self, named: Named) -> Result<Option<Loaded>, ApiError> {
        match named {
            Named::EntityRef(named) => Ok(found_or_none(self.load(named).await)?),
            Named::Role(name) => Ok(Some(Loaded::Role(name))),
            Named::Permission(name) => Ok(Some(Loaded::Permission(name))),
            Named::Nothing => Ok(None),
        }
    }

    async fn load(&self, named: EntityRef) -> Result<Loaded, store::Error> {
        let tenant = self.operator.tenant_of(named).await?;
        let organization = tenant.organization().await?;
        Ok(match named {
            EntityRef::Organization(_) => Loaded::Organization(organization),
            EntityRef::Account(id) => Loaded::Account(tenant.account(id).await?, organization),
            EntityRef::User(id) => Loaded::User(tenant.member(id).await?, organization),
            EntityRef::ServiceAccount(id) => {
                let service_account = tenant.service_account(id).await?;
                let account = tenant.account(service_account.account_id).await?;
                Loaded::ServiceAccount(service_account, account, organization)
            }
            EntityRef::AccessKey(id) => {
                let key = tenant.find_key(id).await?;
                let service_account = tenant.service_account(key.service_account_id).await?;
                let account = tenant.account(service_account.account_id).await?;
                Loaded::AccessKey(key, service_account, account, organization)
            }
        })
    }

    fn decide(
        &self,
        caller: &Caller,
        permission: Permission,
        resource: &Loaded,
        context: &RequestContext,
    ) -> Result<bool, ApiError> {
        let snapshot = self.state.engine.snapshot();
        let asker = decision_log::DecisionContext {
            principal: &Arc::new(Principal::prepare(caller, &snapshot)),
            source_ip: context.client_ip,
            now: self.state.clock.now(),
            request_id: context.request_id.as_str(),
            via: decision_log::Via::Evaluation,
            tells_id: false,
        };
        let recorder = &self.state.decisions;
        let resource = resource.as_resource();
        let decided = recorder.decide(&snapshot, asker, permission, resource)?;
        Ok(decided.outcome == Outcome::Allow)
    }
}

fn found_or_none<T>(found: Result<T, store::Error>) -> Result<Option<T>, store::Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(store::Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Loaded {
    fn as_resource(&self) -> Resource<'_> {
        match self {
            Self::Organization(organization) => Resource::Organization(organization),
            Self::Account(account, organization) => Resource::Account {
                account,
                organization,
            },
            Self::ServiceAccount(service_account, account, organization) => {
                Resource::ServiceAccount {
                    service_account,
                    account,
                    organization,
                }
            }
            Self::AccessKey(access_key, service_account, account, organization) => {
                Resource::AccessKey {
                    access_key,
                    service_account,
                    account,
                    organization,
                }
            }
            Self::User(user, organization) => Resource::User { user, organization },
            Self::Role(name) => Resource::Role(name),
            Self::Permission(name) => Resource::Permission(name),
        }
    }
}
