//! Which roles and permissions are given to anybody, in any tenant: names that policies may have
//! ceased to know.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::entity::{Texts, invitation, service_account, user};
use super::{Error, Store};

/// Names as they are stored.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct GrantedNames {
    /// Of service accounts, people and open invitations.
    pub roles: BTreeSet<String>,
    /// Of service accounts.
    pub permissions: BTreeSet<String>,
}

impl Store {
    /// All names that are given to somebody who is not deleted. Reads the whole tables: for
    /// start-up and edits of the policies, not for requests.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn granted_names(&self) -> Result<GrantedNames, Error> {
        use service_account::Column;
        let mut names = GrantedNames::default();
        let granted: Vec<(Texts, Texts)> = service_account::Entity::find()
            .select_only()
            .columns([Column::Roles, Column::Permissions])
            .filter(Column::DeletedAt.is_null())
            .distinct()
            .into_tuple()
            .all(&self.reader)
            .await?;
        for (roles, permissions) in granted {
            names.roles.extend(roles.0);
            names.permissions.extend(permissions.0);
        }
        let roles: Vec<String> = user::Entity::find()
            .select_only()
            .column(user::Column::Role)
            .distinct()
            .into_tuple()
            .all(&self.reader)
            .await?;
        names.roles.extend(roles);
        let promised: Vec<String> = invitation::Entity::find()
            .select_only()
            .column(invitation::Column::Role)
            .filter(invitation::Column::AcceptedAt.is_null())
            .filter(invitation::Column::RevokedAt.is_null())
            .distinct()
            .into_tuple()
            .all(&self.reader)
            .await?;
        names.roles.extend(promised);
        Ok(names)
    }
}
