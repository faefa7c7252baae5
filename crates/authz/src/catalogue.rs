//! The names that the schema declares, checked against those that the service uses.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema};
use serde_json::Value;

use super::fault::FolderFault;
use super::kinds::{PrincipalKind, ResourceKind};
use super::names::{check_groups, check_names, enumerated, fault_at, require_ids};
use super::source::Source;
use charter_domain::permission::Permission;
use charter_domain::user::OWNER;

/// The roles that the service itself assigns; all others come from the policy folder.
pub const NEEDED_ROLES: [&str; 1] = [OWNER];

const SIGNED_REQUEST: &str = "signed-request";
const BEARER_TOKEN: &str = "bearer-token";
/// How callers authenticate.
const METHODS: [&str; 2] = [SIGNED_REQUEST, BEARER_TOKEN];

/// The `AuthenticationMethod` id of principals of this type; `None` for types that are no
/// principal.
#[must_use]
pub fn method_of(principal_type: &str) -> Option<&'static str> {
    PrincipalKind::of_type(principal_type).map(|kind| match kind {
        PrincipalKind::ServiceAccount => SIGNED_REQUEST,
        PrincipalKind::User => BEARER_TOKEN,
    })
}

/// The entity ids of a schema, ready for use in requests.
#[derive(Debug)]
pub struct Catalogue {
    roles: BTreeMap<String, EntityUid>,
    permissions: BTreeMap<String, EntityUid>,
    /// By [`Permission::index`].
    actions: Vec<Action>,
    pub(super) types: EntityTypes,
    methods: AuthenticationMethods,
}

#[derive(Debug)]
struct Action {
    uid: EntityUid,
    /// The pairs of principal and resource types that the schema allows.
    applies_to: BTreeSet<(PrincipalKind, ResourceKind)>,
}

/// The entity types that the service builds.
#[derive(Debug)]
pub(super) struct EntityTypes {
    pub(super) organization: EntityTypeName,
    pub(super) account: EntityTypeName,
    pub(super) service_account: EntityTypeName,
    pub(super) access_key: EntityTypeName,
    pub(super) user: EntityTypeName,
    pub(super) role: EntityTypeName,
    pub(super) permission: EntityTypeName,
}

impl EntityTypes {
    fn unqualified() -> Result<Self, String> {
        Ok(Self {
            organization: type_name("Organization")?,
            account: type_name("Account")?,
            service_account: type_name("ServiceAccount")?,
            access_key: type_name("AccessKey")?,
            user: type_name("User")?,
            role: type_name("Role")?,
            permission: type_name("Permission")?,
        })
    }

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

/// Ids of the authentication methods.
#[derive(Debug)]
struct AuthenticationMethods {
    signed_request: EntityUid,
    bearer_token: EntityUid,
}

impl Catalogue {
    /// Of a domain of one's own: no permission of the service can be asked.
    pub(super) fn empty() -> Result<Self, Vec<FolderFault>> {
        let made = || -> Result<Self, String> {
            let types = EntityTypes::unqualified()?;
            let method = type_name("AuthenticationMethod")?;
            Ok(Self {
                roles: BTreeMap::new(),
                permissions: BTreeMap::new(),
                actions: Vec::new(),
                methods: AuthenticationMethods {
                    signed_request: uid(&method, SIGNED_REQUEST),
                    bearer_token: uid(&method, BEARER_TOKEN),
                },
                types,
            })
        };
        made().map_err(|name| no_type_name(&name))
    }

    #[must_use]
    pub fn has_role(&self, name: &str) -> bool {
        self.roles.contains_key(name)
    }

    #[must_use]
    pub fn has_permission(&self, name: &str) -> bool {
        self.permissions.contains_key(name)
    }

    /// Names of the roles, sorted.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// Names of the permissions, sorted.
    pub fn permissions(&self) -> impl Iterator<Item = &str> {
        self.permissions.keys().map(String::as_str)
    }

    /// Roles with their entity ids, sorted by name.
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

    /// The action's id; `None` if the schema does not allow this pair.
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

    /// The authentication method of this type of principal.
    pub(super) const fn method(&self, principal: PrincipalKind) -> &EntityUid {
        match principal {
            PrincipalKind::ServiceAccount => &self.methods.signed_request,
            PrincipalKind::User => &self.methods.bearer_token,
        }
    }

    /// The pairs of types that a permission applies to.
    pub fn pairs(
        &self,
        permission: Permission,
    ) -> impl Iterator<Item = (PrincipalKind, ResourceKind)> {
        let action = self.actions.get(permission.index());
        action
            .into_iter()
            .flat_map(|action| action.applies_to.iter().copied())
    }

    /// Every combination of action, principal type and resource type that the schema allows.
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

    /// The action ids by [`Permission::index`].
    pub(super) fn action_uids(&self) -> impl Iterator<Item = &EntityUid> {
        self.actions.iter().map(|action| &action.uid)
    }

    /// Reads the names from a schema. The error lists every name that the service needs and the
    /// schema lacks, and every name that the service never uses.
    pub(super) fn read(
        source: &Source,
        schema: &Schema,
        json: &Value,
    ) -> Result<Self, Vec<FolderFault>> {
        let mut faults = Vec::new();
        let permissions = enumerated(json, "Permission");
        check_names(&permissions, "permission", source, &mut faults);
        let groups: BTreeSet<&EntityUid> = schema.action_groups().collect();
        let actions: Vec<&EntityUid> = schema
            .actions()
            .filter(|uid| !groups.contains(uid))
            .collect();
        let names = actions.iter().map(|uid| uid.id().unescaped()).collect();
        check_names(&names, "action", source, &mut faults);
        check_groups(schema, &actions, source, &mut faults);
        let roles = enumerated(json, "Role");
        require_ids(&NEEDED_ROLES, &roles, "Role", source, &mut faults);
        let methods = enumerated(json, "AuthenticationMethod");
        require_ids(
            &METHODS,
            &methods,
            "AuthenticationMethod",
            source,
            &mut faults,
        );
        let unset = methods.iter().filter(|name| !METHODS.contains(name));
        faults.extend(unset.map(|name| {
            let message = format!("the service never sets `AuthenticationMethod::\"{name}\"`");
            fault_at(message, source, &format!("\"{name}\""))
                .help("remove it, or correct its spelling")
        }));
        if !faults.is_empty() {
            return Err(faults);
        }
        Self::build(schema, &actions, &roles, &permissions).map_err(|name| no_type_name(&name))
    }

    /// Of a schema that was in force, if only in an earlier version: actions that it lacks apply to nothing.
    pub(super) fn recorded(schema: &Schema, json: &Value) -> Result<Self, Vec<FolderFault>> {
        let actions: Vec<&EntityUid> = schema.actions().collect();
        let (roles, permissions) = (enumerated(json, "Role"), enumerated(json, "Permission"));
        Self::build(schema, &actions, &roles, &permissions).map_err(|name| no_type_name(&name))
    }

    fn build(
        schema: &Schema,
        actions: &[&EntityUid],
        roles: &BTreeSet<&str>,
        permissions: &BTreeSet<&str>,
    ) -> Result<Self, String> {
        let types = EntityTypes::unqualified()?;
        let method = type_name("AuthenticationMethod")?;
        let action_type = type_name("Action")?;
        let named = |of: &EntityTypeName, names: &BTreeSet<&str>| {
            names
                .iter()
                .map(|name| ((*name).to_owned(), uid(of, name)))
                .collect()
        };
        let actions = Permission::ALL
            .iter()
            .map(|permission| {
                let is_it = |uid: &&&EntityUid| uid.id().unescaped() == permission.as_str();
                let found = actions.iter().find(is_it);
                let uid = found.map_or_else(
                    || uid(&action_type, permission.as_str()),
                    |uid| (*uid).clone(),
                );
                let applies_to = applies_to(schema, &uid);
                Action { uid, applies_to }
            })
            .collect();
        Ok(Self {
            roles: named(&types.role, roles),
            permissions: named(&types.permission, permissions),
            actions,
            methods: AuthenticationMethods {
                signed_request: uid(&method, SIGNED_REQUEST),
                bearer_token: uid(&method, BEARER_TOKEN),
            },
            types,
        })
    }
}

fn no_type_name(name: &str) -> Vec<FolderFault> {
    vec![FolderFault::new(format!("`{name}` is not a type name"))]
}

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
