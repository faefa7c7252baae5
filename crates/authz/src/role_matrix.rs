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

/// The organization that everything belongs to, and the facts of the requests.
pub(super) struct Scene {
    pub(super) organization: EntityUid,
    pub(super) is_active: bool,
    pub(super) plan_tier: &'static str,
    pub(super) source_ip: IpAddr,
    pub(super) now: Timestamp,
}

/// An object that is asked about.
pub(super) struct ExampleObject {
    /// In the matrix.
    title: String,
    /// Of the role or permission, or of its kind.
    pub(super) name: String,
    uid: EntityUid,
}

impl Snapshot {
    /// The role matrix at a time.
    pub fn role_matrix(&self, now: Timestamp) -> Result<RoleMatrix, Box<dyn Error>> {
        let scene = Scene {
            organization: self.example(ResourceKind::Organization),
            is_active: true,
            plan_tier: "free",
            source_ip: SOURCE_IP,
            now,
        };
        let mut matrix = RoleMatrix::new();
        for kind in PrincipalKind::ALL {
            for (role, role_uid) in self.catalogue.named_roles() {
                let holder = RoleHolder {
                    kind: match kind {
                        PrincipalKind::User => "person",
                        PrincipalKind::ServiceAccount => "service account",
                    },
                    role: role.to_owned(),
                };
                self.ask_as(&scene, kind, role_uid, |permission, object, is_allowed| {
                    matrix
                        .entry((permission, object.title))
                        .or_default()
                        .insert(holder.clone(), is_allowed);
                })?;
            }
        }
        Ok(matrix)
    }

    /// Asks whatever somebody with this role can ask about one object of each kind.
    pub(super) fn ask_as(
        &self,
        scene: &Scene,
        kind: PrincipalKind,
        role: &EntityUid,
        mut told: impl FnMut(Permission, ExampleObject, bool),
    ) -> Result<(), Box<dyn Error>> {
        let asker = uid(self.catalogue.types.of_principal(kind), ASKER);
        let holder = self.holder(scene, kind, asker.clone(), role.clone())?;
        let examples = self.example_entities(scene)?.into_iter();
        let entities = self.with_actions(examples.chain([holder]))?;
        let method = self.catalogue.method(kind);
        let context = self.facts.get(scene.source_ip, scene.now, kind, method)?;
        for &permission in Permission::ALL {
            for (principal, about) in self.catalogue.pairs(permission) {
                let action = self.catalogue.action(permission, kind, about);
                let Some(action) = action.filter(|_| principal == kind) else {
                    continue;
                };
                for object in self.examples_of(scene, about) {
                    let request = Request::new(
                        asker.clone(),
                        action.clone(),
                        object.uid.clone(),
                        context.clone(),
                        None,
                    )?;
                    let decision = self.decide_request(permission, &request, &entities);
                    told(permission, object, decision.is_allowed());
                }
            }
        }
        Ok(())
    }

    fn example(&self, kind: ResourceKind) -> EntityUid {
        uid(self.catalogue.types.of_resource(kind), EXAMPLE)
    }

    /// The objects of one kind.
    fn examples_of(&self, scene: &Scene, kind: ResourceKind) -> Vec<ExampleObject> {
        let catalogue = &self.catalogue;
        let named = |uid: EntityUid| ExampleObject {
            title: uid.to_string(),
            name: uid.id().unescaped().to_owned(),
            uid,
        };
        let kind_name = kind.type_name();
        let only = |uid: EntityUid| {
            vec![ExampleObject {
                title: kind_name.to_owned(),
                name: kind_name.to_owned(),
                uid,
            }]
        };
        match kind {
            ResourceKind::Role => catalogue.all_roles().map(named).collect(),
            ResourceKind::Permission => catalogue.all_permissions().map(named).collect(),
            ResourceKind::User => catalogue
                .named_roles()
                .map(|(role, uid_of_role)| ExampleObject {
                    title: format!("{kind_name} in {uid_of_role}"),
                    name: role.to_owned(),
                    uid: uid(&catalogue.types.user, role),
                })
                .collect(),
            ResourceKind::Organization => only(scene.organization.clone()),
            _ => only(self.example(kind)),
        }
    }

    fn holder(
        &self,
        scene: &Scene,
        kind: PrincipalKind,
        asker: EntityUid,
        role: EntityUid,
    ) -> Result<Entity, BuildError> {
        let organization = &scene.organization;
        match kind {
            PrincipalKind::User => shapes::user(asker, organization, true, true, Some(role)),
            PrincipalKind::ServiceAccount => {
                let account = self.example(ResourceKind::Account);
                shapes::service_account(asker, organization, account, true, [role].into_iter())
            }
        }
    }

    /// One entity of each type, and a user of each role.
    fn example_entities(&self, scene: &Scene) -> Result<Vec<Entity>, BuildError> {
        let organization = scene.organization.clone();
        let account = self.example(ResourceKind::Account);
        let service_account = self.example(ResourceKind::ServiceAccount);
        let key = self.example(ResourceKind::AccessKey);
        let mut things = vec![
            shapes::organization(organization.clone(), scene.is_active, scene.plan_tier)?,
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
