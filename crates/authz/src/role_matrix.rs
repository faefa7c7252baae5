//! The role matrix: what each role may do to one object of each kind, for review. It shows active
//! callers with a verified address in their own active organization; only proofs cover all
//! requests.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};

use cedar_policy::{Entity, EntityUid, Request};

use super::catalogue::uid;
use super::kinds::{PrincipalKind, ResourceKind};
use super::shapes::{self, BuildError};
use super::snapshot::Snapshot;
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;

/// A user or service account with this role and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleHolder {
    /// `person` or `service account`.
    pub kind: &'static str,
    pub role: String,
}

/// The permission and the object.
pub type MatrixKey = (Permission, String);

/// Whether it is allowed, for each holder that can ask.
pub type RoleMatrix = BTreeMap<MatrixKey, BTreeMap<RoleHolder, bool>>;

/// An address reserved for documentation (RFC 5737).
const SOURCE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const EXAMPLE: &str = "example";
const ASKER: &str = "asker";

impl Snapshot {
    /// The role matrix at a time.
    pub fn role_matrix(&self, now: Timestamp) -> Result<RoleMatrix, Box<dyn Error>> {
        let mut matrix = RoleMatrix::new();
        for kind in PrincipalKind::ALL {
            for (role, role_uid) in self.catalogue.named_roles() {
                let asker = uid(self.catalogue.types.of_principal(kind), ASKER);
                let entities = self.example_entities()?.into_iter();
                let asker_entity = self.holder(kind, asker.clone(), role_uid.clone())?;
                let entities = self.with_actions(entities.chain([asker_entity]))?;
                let context = self
                    .facts
                    .get(SOURCE_IP, now, kind, self.catalogue.method(kind))?;
                let holder = RoleHolder {
                    kind: match kind {
                        PrincipalKind::User => "person",
                        PrincipalKind::ServiceAccount => "service account",
                    },
                    role: role.to_owned(),
                };
                for &permission in Permission::ALL {
                    for (principal, about) in self.catalogue.pairs(permission) {
                        let action = self.catalogue.action(permission, kind, about);
                        let Some(action) = action.filter(|_| principal == kind) else {
                            continue;
                        };
                        for (name, resource) in self.examples_of(about) {
                            let request = Request::new(
                                asker.clone(),
                                action.clone(),
                                resource,
                                context.clone(),
                                None,
                            )?;
                            let decision = self.decide_request(permission, &request, &entities);
                            matrix
                                .entry((permission, name))
                                .or_default()
                                .insert(holder.clone(), decision.is_allowed());
                        }
                    }
                }
            }
        }
        Ok(matrix)
    }

    fn example(&self, kind: ResourceKind) -> EntityUid {
        uid(self.catalogue.types.of_resource(kind), EXAMPLE)
    }

    /// The objects of one kind, each with its title in the matrix.
    fn examples_of(&self, kind: ResourceKind) -> Vec<(String, EntityUid)> {
        let catalogue = &self.catalogue;
        let named = |uid: EntityUid| (uid.to_string(), uid);
        match kind {
            ResourceKind::Role => catalogue.all_roles().map(named).collect(),
            ResourceKind::Permission => catalogue.all_permissions().map(named).collect(),
            ResourceKind::User => catalogue
                .named_roles()
                .map(|(role, uid_of_role)| {
                    let name = format!("{} in {uid_of_role}", kind.type_name());
                    (name, uid(&catalogue.types.user, role))
                })
                .collect(),
            _ => vec![(kind.type_name().to_owned(), self.example(kind))],
        }
    }

    fn holder(
        &self,
        kind: PrincipalKind,
        asker: EntityUid,
        role: EntityUid,
    ) -> Result<Entity, BuildError> {
        let organization = self.example(ResourceKind::Organization);
        match kind {
            PrincipalKind::User => shapes::user(asker, &organization, true, true, Some(role)),
            PrincipalKind::ServiceAccount => {
                let account = self.example(ResourceKind::Account);
                shapes::service_account(asker, &organization, account, true, [role].into_iter())
            }
        }
    }

    /// One entity of each type, and a user of each role.
    fn example_entities(&self) -> Result<Vec<Entity>, BuildError> {
        let organization = self.example(ResourceKind::Organization);
        let account = self.example(ResourceKind::Account);
        let service_account = self.example(ResourceKind::ServiceAccount);
        let key = self.example(ResourceKind::AccessKey);
        let mut things = vec![
            shapes::organization(organization.clone(), true, "free")?,
            shapes::account(account.clone(), organization.clone(), true, true)?,
            shapes::service_account(
                service_account.clone(),
                &organization,
                account,
                true,
                std::iter::empty(),
            )?,
            shapes::access_key(key, &organization, service_account)?,
        ];
        for (role, role_uid) in self.catalogue.named_roles() {
            let person = uid(&self.catalogue.types.user, role);
            let role = Some(role_uid.clone());
            things.push(shapes::user(person, &organization, true, true, role)?);
        }
        Ok(things)
    }
}
