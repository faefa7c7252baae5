//! Which roles and permissions are given to anybody, in any tenant: names that policies may have
//! ceased to know.

use std::collections::BTreeSet;

use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryResult, QuerySelect,
};

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

struct Granted(Result<(Texts, Texts), DbErr>);

impl FromQueryResult for Granted {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let read = |column| row.try_get::<Texts>(prefix, column);
        Ok(Self(
            read("roles").and_then(|roles| Ok((roles, read("permissions")?))),
        ))
    }
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
        let granted = service_account::Entity::find()
            .select_only()
            .columns([Column::Roles, Column::Permissions])
            .filter(Column::DeletedAt.is_null())
            .distinct()
            .into_model::<Granted>()
            .all(&self.reader)
            .await?;
        for Granted(granted) in granted {
            match granted {
                Ok((roles, permissions)) => {
                    names.roles.extend(roles.0);
                    names.permissions.extend(permissions.0);
                }
                // One tenant's row never stops the others'.
                Err(error) => {
                    tracing::warn!(%error, "roles or permissions of a service account cannot be read");
                }
            }
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
