//! Registering: an organization, its owner and the link that verifies the owner's address, all or
//! nothing.

use super::audit::Action;
use super::links::{self, NewLink};
use super::{Error, NewOrganization, NewUser, Store, users};
use charter_domain::audit::AuditContext;
use charter_domain::organization::Organization;
use charter_domain::user::User;

/// Who registers, and what for.
#[derive(Debug)]
pub struct Registration {
    /// The organization.
    pub organization: NewOrganization,
    /// Its first owner.
    pub owner: NewUser,
    /// What verifies the owner's address.
    pub link: NewLink,
}

impl Store {
    /// Makes an organization with its default account and its owner.
    ///
    /// # Errors
    ///
    /// [`Error::SlugTaken`], [`Error::EmailTaken`], and those of the database.
    pub async fn register(
        &self,
        new: Registration,
        by: &AuditContext,
    ) -> Result<(Organization, User), Error> {
        let Registration {
            organization,
            owner,
            link,
        } = new;
        let mut write = self.begin(by).await?;
        let (organization, _) = self
            .insert_organization(
                &mut write,
                organization,
                Action::Person("CreateOrganization"),
            )
            .await?;
        let action = Action::Person("Register");
        let user = users::insert(&mut write, organization.id, owner, action).await?;
        links::insert(&write, organization.id, user.id, link).await?;
        write.commit().await?;
        Ok((organization, user))
    }
}
