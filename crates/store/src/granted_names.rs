//! Roles and permissions that are granted to anybody, in any tenant. Policies may no longer know some of these
//! names.

use std::collections::BTreeSet;

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryResult,
    QuerySelect,
};

use super::entity::{Texts, invitation, service_account, user};
use super::write::Write;
use super::{Error, Store};
use charter_domain::account::Account;
use service_account::Column;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct GrantedNames {
    /// Of service accounts, users and open invitations.
    pub roles: BTreeSet<String>,
    /// Of service accounts.
    pub permissions: BTreeSet<String>,
}

impl GrantedNames {
    fn extend(&mut self, (roles, permissions): (Texts, Texts)) {
        self.roles.extend(roles.0);
        self.permissions.extend(permissions.0);
    }
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
    /// All granted names, except those of deleted callers. Reads whole tables, so it is for start-up and policy
    /// edits only.
    pub async fn granted_names(&self) -> Result<GrantedNames, Error> {
        let mut names = GrantedNames::default();
        let granted = of_service_accounts(&self.reader, Column::DeletedAt.is_null()).await?;
        for Granted(granted) in granted {
            match granted {
                Ok(granted) => names.extend(granted),
                // One tenant's corrupt row must not block the others.
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

/// The names of service accounts that only their account disables.
pub(super) async fn of_account(
    write: &Write<'_>,
    account: &Account,
) -> Result<GrantedNames, Error> {
    let which = Column::OrganizationId
        .eq(account.organization_id.uuid())
        .and(Column::AccountId.eq(account.id.uuid()))
        .and(Column::IsActive.eq(true))
        .and(Column::DeletedAt.is_null());
    let mut names = GrantedNames::default();
    for Granted(granted) in of_service_accounts(&write.transaction, which).await? {
        names.extend(granted?);
    }
    Ok(names)
}

async fn of_service_accounts(
    connection: &impl ConnectionTrait,
    which: Expr,
) -> Result<Vec<Granted>, Error> {
    Ok(service_account::Entity::find()
        .select_only()
        .columns([Column::Roles, Column::Permissions])
        .filter(which)
        .distinct()
        .into_model::<Granted>()
        .all(connection)
        .await?)
}
