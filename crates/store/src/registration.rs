//! Registration: an organization, its owner and the verification link, in one transaction.

use super::audit::Action;
use super::links::{self, NewLink};
use super::{Error, NewOrganization, NewUser, Store, users};
use charter_domain::audit::AuditContext;
use charter_domain::organization::Organization;
use charter_domain::user::User;

#[derive(Debug)]
pub struct Registration {
    pub organization: NewOrganization,
    /// The first owner.
    pub owner: NewUser,
    /// Verifies the owner's address.
    pub link: NewLink,
}

impl Store {
    /// Creates an organization with its default account and its owner.
    ///
    /// # Errors
    ///
    /// [`Error::SlugTaken`], [`Error::EmailTaken`].
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
            .insert_organization(&mut write, organization, Action::User("CreateOrganization"))
            .await?;
        let action = Action::User("Register");
        let user = users::insert(&mut write, organization.id, owner, action).await?;
        links::insert(&write, organization.id, user.id, link).await?;
        write.commit().await?;
        Ok((organization, user))
    }
}
