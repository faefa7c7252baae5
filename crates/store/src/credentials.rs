//! For authentication: an access key with everything that stands behind it, in one query.

use sea_orm::sea_query::{
    Alias, Expr, ExprTrait as _, PostgresQueryBuilder, Query, SelectStatement, SqliteQueryBuilder,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IdenStatic, Iterable,
    Statement,
};

use super::entity::{access_key, account, organization, service_account};
use super::{Error, Store};
use charter_domain::access_key::{AccessKey, SealedSecret};
use charter_domain::caller::ServiceAccountCaller;

/// Who an access key belongs to, and its secret. Whether it may be used is not decided here.
#[derive(Debug)]
pub struct Credential {
    /// The caller it would prove.
    pub caller: ServiceAccountCaller,
    /// The key.
    pub access_key: AccessKey,
    /// The secret, sealed.
    pub secret: SealedSecret,
}

const KEY: &str = "k_";
const SERVICE_ACCOUNT: &str = "s_";
const ACCOUNT: &str = "a_";
const ORGANIZATION: &str = "o_";

impl Store {
    /// The access key with that public text, also if it is revoked or expired, or if what stands
    /// behind it is inactive or deleted.
    ///
    /// # Errors
    ///
    /// Those of the database.
    #[expect(clippy::disallowed_methods, reason = "the store makes callers")]
    pub async fn find_credential(&self, access_key: &str) -> Result<Option<Credential>, Error> {
        // PostgreSQL refuses to compare such a text, SQLite finds nothing.
        if access_key.contains('\0') {
            return Ok(None);
        }
        let statement = Statement::from_sql_and_values(
            self.reader.get_database_backend(),
            &self.find_credential,
            [access_key.into()],
        );
        let Some(row) = self.reader.query_one_raw(statement).await? else {
            return Ok(None);
        };
        let (access_key, secret): (AccessKey, _) =
            access_key::Model::from_query_result(&row, KEY)?.try_into()?;
        let caller = ServiceAccountCaller::new(
            service_account::Model::from_query_result(&row, SERVICE_ACCOUNT)?.try_into()?,
            account::Model::from_query_result(&row, ACCOUNT)?.try_into()?,
            organization::Model::from_query_result(&row, ORGANIZATION)?.try_into()?,
            Some(access_key.id),
        );
        Ok(Some(Credential {
            caller,
            access_key,
            secret,
        }))
    }
}

/// The text of the one query behind [`Store::find_credential`]; it is built once.
pub(super) fn statement(backend: DbBackend) -> String {
    let mut query = Query::select();
    columns::<access_key::Entity>(&mut query, KEY);
    columns::<service_account::Entity>(&mut query, SERVICE_ACCOUNT);
    columns::<account::Entity>(&mut query, ACCOUNT);
    columns::<organization::Entity>(&mut query, ORGANIZATION);
    query
        .from(access_key::Entity)
        .inner_join(
            service_account::Entity,
            Expr::col((service_account::Entity, service_account::Column::Id))
                .equals((access_key::Entity, access_key::Column::ServiceAccountId)),
        )
        .inner_join(
            account::Entity,
            Expr::col((account::Entity, account::Column::Id))
                .equals((service_account::Entity, service_account::Column::AccountId)),
        )
        .inner_join(
            organization::Entity,
            Expr::col((organization::Entity, organization::Column::Id))
                .equals((access_key::Entity, access_key::Column::OrganizationId)),
        )
        .and_where(access_key::Column::AccessKey.eq(""));
    match backend {
        DbBackend::Sqlite => query.build(SqliteQueryBuilder).0,
        _ => query.build(PostgresQueryBuilder).0,
    }
}

fn columns<E: EntityTrait>(query: &mut SelectStatement, prefix: &str) {
    for column in E::Column::iter() {
        let alias = Alias::new(format!("{prefix}{}", column.as_str()));
        query.expr_as(Expr::col((E::default(), column)), alias);
    }
}
