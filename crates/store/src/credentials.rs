//! Finds an access key with its service account, account and organization, in one query.

use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, FromQueryResult, Statement};

use super::entity::{access_key, account, organization, service_account};
use super::joined::{columns, join, text};
use super::{Error, Store};
use charter_domain::access_key::{AccessKey, SealedSecret};
use charter_domain::caller::ServiceAccountCaller;

/// An access key, its owner and its secret. Callers must check whether it may be used.
#[derive(Debug)]
pub struct Credential {
    /// The caller that the key authenticates.
    pub caller: ServiceAccountCaller,
    pub access_key: AccessKey,
    pub secret: SealedSecret,
}

const KEY: &str = "k_";
const SERVICE_ACCOUNT: &str = "s_";
const ACCOUNT: &str = "a_";
const ORGANIZATION: &str = "o_";

impl Store {
    /// The access key with that identifier, including revoked and expired keys and those of inactive or deleted
    /// owners.
    #[expect(clippy::disallowed_methods, reason = "the store makes callers")]
    pub async fn find_credential(&self, access_key: &str) -> Result<Option<Credential>, Error> {
        // PostgreSQL refuses such a text in a comparison; SQLite finds nothing.
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

/// The query of [`Store::find_credential`]; built once.
pub(super) fn statement(backend: DbBackend) -> String {
    let mut query = Query::select();
    columns::<access_key::Entity>(&mut query, KEY);
    columns::<service_account::Entity>(&mut query, SERVICE_ACCOUNT);
    columns::<account::Entity>(&mut query, ACCOUNT);
    columns::<organization::Entity>(&mut query, ORGANIZATION);
    query.from(access_key::Entity);
    join(
        &mut query,
        service_account::Column::Id,
        access_key::Column::ServiceAccountId,
    );
    join(
        &mut query,
        account::Column::Id,
        service_account::Column::AccountId,
    );
    join(
        &mut query,
        organization::Column::Id,
        access_key::Column::OrganizationId,
    );
    query.and_where(access_key::Column::AccessKey.eq(""));
    text(&query, backend)
}
