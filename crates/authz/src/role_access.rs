//! What a person with a role could do in an organization, by evaluation: for people who give roles.

use std::error::Error;
use std::net::IpAddr;

use super::catalogue::uid;
use super::kinds::PrincipalKind;
use super::role_matrix::Scene;
use super::snapshot::Snapshot;
use charter_domain::organization::Organization;
use charter_domain::permission::Permission;
use charter_domain::timestamp::Timestamp;

/// A permission that policy would allow on at least one object.
#[derive(Debug, PartialEq, Eq)]
pub struct RolePermission {
    pub permission: Permission,
    /// Where it would be denied: names of roles (of the person or role asked about), of permissions, or of kinds.
    pub except: Vec<String>,
}

impl Snapshot {
    /// What somebody with this role and a verified address could do now, from this address, in this organization as
    /// it is. Nothing for a role that the schema lacks.
    ///
    /// # Errors
    ///
    /// The questions cannot be built.
    pub fn role_access(
        &self,
        role: &str,
        organization: &Organization,
        source_ip: IpAddr,
        now: Timestamp,
    ) -> Result<Vec<RolePermission>, Box<dyn Error>> {
        let Some(role) = self.catalogue.role(role) else {
            return Ok(Vec::new());
        };
        let scene = Scene {
            organization: uid(
                &self.catalogue.types.organization,
                &organization.id.to_string(),
            ),
            is_active: organization.is_active,
            plan_tier: organization.plan_tier.as_str(),
            source_ip,
            now,
        };
        let mut asked: Vec<(bool, RolePermission)> = Vec::new();
        self.ask_as(
            &scene,
            PrincipalKind::User,
            role,
            |permission, object, is_allowed| {
                if asked
                    .last()
                    .is_none_or(|(_, it)| it.permission != permission)
                {
                    let except = Vec::new();
                    asked.push((false, RolePermission { permission, except }));
                }
                if let Some((anywhere, it)) = asked.last_mut() {
                    *anywhere |= is_allowed;
                    it.except.extend((!is_allowed).then_some(object.name));
                }
            },
        )?;
        let allowed = asked.into_iter().filter(|(anywhere, _)| *anywhere);
        Ok(allowed.map(|(_, it)| it).collect())
    }
}
