//! The names that the schema declares, held against those that the service uses.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema};
use serde_json::Value;

use super::fault::Fault;
use super::kinds::{PrincipalKind, ResourceKind};
use super::names::{check_groups, compare, enumerated, need};
use super::source::Source;
use charter_domain::permission::Permission;
use charter_domain::user::OWNER;

/// The roles that the service itself gives; all others are the policy folder's own.
pub const NEEDED_ROLES: [&str; 1] = [OWNER];

const SIGNED_REQUEST: &str = "signed-request";
const BEARER_TOKEN: &str = "bearer-token";
/// How callers authenticate.
const METHODS: [&str; 2] = [SIGNED_REQUEST, BEARER_TOKEN];

/// How principals of this type authenticate, by the name of the enumerated entity; `None` for a type
/// that is no principal.
#[must_use]
pub fn method_of(principal_type: &str) -> Option<&'static str> {
    PrincipalKind::of_type(principal_type).map(|kind| match kind {
        PrincipalKind::ServiceAccount => SIGNED_REQUEST,
        PrincipalKind::User => BEARER_TOKEN,
    })
}

/// The names of a schema, ready to be used in a request.
#[derive(Debug)]
pub struct Catalogue {
    roles: BTreeMap<String, EntityUid>,
    permissions: BTreeMap<String, EntityUid>,
    /// By [`Permission::index`].
    actions: Vec<Action>,
    pub(super) types: Types,
    methods: Methods,
}

#[derive(Debug)]
struct Action {
    uid: EntityUid,
    /// The pairs of types it may be asked about.
    applies_to: BTreeSet<(PrincipalKind, ResourceKind)>,
}

/// The entity types that the service builds.
#[derive(Debug)]
pub(super) struct Types {
    pub(super) organization: EntityTypeName,
    pub(super) account: EntityTypeName,
    pub(super) service_account: EntityTypeName,
    pub(super) access_key: EntityTypeName,
    pub(super) user: EntityTypeName,
    pub(super) role: EntityTypeName,
    pub(super) permission: EntityTypeName,
}

impl Types {
    pub(super) const fn of_principal(&self, kind: PrincipalKind) -> &EntityTypeName {
        match kind {
            PrincipalKind::ServiceAccount => &self.service_account,
            PrincipalKind::User => &self.user,
        }
    }

    pub(super) const fn of_resource(&self, kind: ResourceKind) -> &EntityTypeName {
        match kind {
            ResourceKind::Organization => &self.organization,
            ResourceKind::Account => &self.account,
            ResourceKind::ServiceAccount => &self.service_account,
            ResourceKind::AccessKey => &self.access_key,
            ResourceKind::User => &self.user,
            ResourceKind::Role => &self.role,
            ResourceKind::Permission => &self.permission,
        }
    }
}

/// How a principal may have proved who it is.
#[derive(Debug)]
struct Methods {
    signed_request: EntityUid,
    bearer_token: EntityUid,
}

impl Catalogue {
    /// Whether the schema has a role of this name.
    #[must_use]
    pub fn has_role(&self, name: &str) -> bool {
        self.roles.contains_key(name)
    }

    /// Whether the schema has a permission of this name.
    #[must_use]
    pub fn has_permission(&self, name: &str) -> bool {
        self.permissions.contains_key(name)
    }

    /// The names of all roles, sorted.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// The names of all permissions, sorted.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.permissions.keys().map(String::as_str)
    }

    /// All roles by name, sorted.
    pub(super) fn named_roles(&self) -> impl Iterator<Item = (&str, &EntityUid)> {
        self.roles.iter().map(|(name, uid)| (name.as_str(), uid))
    }

    pub(super) fn all_roles(&self) -> impl Iterator<Item = EntityUid> {
        self.roles.values().cloned()
    }

    pub(super) fn all_permissions(&self) -> impl Iterator<Item = EntityUid> {
        self.permissions.values().cloned()
    }

    pub(super) fn role(&self, name: &str) -> Option<&EntityUid> {
        self.roles.get(name)
    }

    pub(super) fn permission(&self, name: &str) -> Option<&EntityUid> {
        self.permissions.get(name)
    }

    /// The action's id, if the schema lets it be asked about such a pair.
    pub(super) fn action(
        &self,
        permission: Permission,
        principal: PrincipalKind,
        resource: ResourceKind,
    ) -> Option<&EntityUid> {
        self.actions
            .get(permission.index())
            .filter(|action| action.applies_to.contains(&(principal, resource)))
            .map(|action| &action.uid)
    }

    /// How that kind of principal authenticates.
    pub(super) const fn method(&self, principal: PrincipalKind) -> &EntityUid {
        match principal {
            PrincipalKind::ServiceAccount => &self.methods.signed_request,
            PrincipalKind::User => &self.methods.bearer_token,
        }
    }

    /// The pairs of types that a permission may be asked about.
    pub(super) fn pairs(
        &self,
        permission: Permission,
    ) -> impl Iterator<Item = (PrincipalKind, ResourceKind)> {
        let action = self.actions.get(permission.index());
        action
            .into_iter()
            .flat_map(|action| action.applies_to.iter().copied())
    }

    /// Every kind of question that the schema allows.
    pub(super) fn questions(
        &self,
    ) -> impl Iterator<Item = (&EntityUid, PrincipalKind, ResourceKind)> {
        self.actions.iter().flat_map(|action| {
            action
                .applies_to
                .iter()
                .map(|&(principal, resource)| (&action.uid, principal, resource))
        })
    }

    /// Every action's id, by [`Permission::index`].
    pub(super) fn action_uids(&self) -> impl Iterator<Item = &EntityUid> {
        self.actions.iter().map(|action| &action.uid)
    }

    /// Reads the names out of a schema.
    ///
    /// # Errors
    ///
    /// Every name that the service needs and the schema lacks, or the other way round.
    pub(super) fn read(source: &Source, schema: &Schema, json: &Value) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let permissions = enumerated(json, "Permission");
        compare(&permissions, "permission", source, &mut faults);
        let groups: BTreeSet<&EntityUid> = schema.action_groups().collect();
        let actions: Vec<&EntityUid> = schema
            .actions()
            .filter(|uid| !groups.contains(uid))
            .collect();
        let names = actions.iter().map(|uid| uid.id().unescaped()).collect();
        compare(&names, "action", source, &mut faults);
        check_groups(schema, &actions, source, &mut faults);
        let roles = enumerated(json, "Role");
        need(&NEEDED_ROLES, &roles, "Role", source, &mut faults);
        let methods = enumerated(json, "AuthenticationMethod");
        need(
            &METHODS,
            &methods,
            "AuthenticationMethod",
            source,
            &mut faults,
        );
        if !faults.is_empty() {
            return Err(faults);
        }
        Self::build(schema, &actions, &roles, &permissions)
            .map_err(|name| vec![Fault::new(format!("the schema has no `{name}`"))])
    }

    fn build(
        schema: &Schema,
        actions: &[&EntityUid],
        roles: &BTreeSet<&str>,
        permissions: &BTreeSet<&str>,
    ) -> Result<Self, String> {
        let types = Types {
            organization: type_name("Organization")?,
            account: type_name("Account")?,
            service_account: type_name("ServiceAccount")?,
            access_key: type_name("AccessKey")?,
            user: type_name("User")?,
            role: type_name("Role")?,
            permission: type_name("Permission")?,
        };
        let method = type_name("AuthenticationMethod")?;
        let named = |of: &EntityTypeName, names: &BTreeSet<&str>| {
            names
                .iter()
                .map(|name| ((*name).to_owned(), uid(of, name)))
                .collect()
        };
        let actions = Permission::ALL
            .iter()
            .map(|permission| {
                let action = actions
                    .iter()
                    .find(|uid| uid.id().unescaped() == permission.as_str())
                    .ok_or_else(|| permission.to_string())?;
                Ok(Action {
                    uid: (*action).clone(),
                    applies_to: applies_to(schema, action),
                })
            })
            .collect::<Result<_, String>>()?;
        Ok(Self {
            roles: named(&types.role, roles),
            permissions: named(&types.permission, permissions),
            actions,
            methods: Methods {
                signed_request: uid(&method, SIGNED_REQUEST),
                bearer_token: uid(&method, BEARER_TOKEN),
            },
            types,
        })
    }
}

/// An entity's id.
pub(super) fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

fn type_name(name: &str) -> Result<EntityTypeName, String> {
    EntityTypeName::from_str(name).map_err(|_| name.to_owned())
}

fn applies_to(schema: &Schema, action: &EntityUid) -> BTreeSet<(PrincipalKind, ResourceKind)> {
    let principals: Vec<PrincipalKind> = schema
        .principals_for_action(action)
        .into_iter()
        .flatten()
        .filter_map(|name| PrincipalKind::of_type(&name.to_string()))
        .collect();
    schema
        .resources_for_action(action)
        .into_iter()
        .flatten()
        .filter_map(|name| ResourceKind::of_type(&name.to_string()))
        .flat_map(|resource| {
            principals
                .iter()
                .map(move |&principal| (principal, resource))
        })
        .collect()
}
