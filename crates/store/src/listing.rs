//! Pages of a query.

use sea_orm::{
    ConnectionTrait, EntityTrait, FromQueryResult, IntoSimpleExpr, Order, PaginatorTrait,
    QueryOrder, QuerySelect, QueryTrait, Select, sea_query::NullOrdering,
};

use super::{Error, TenantReader};
use charter_domain::page::{Page, PageRequest};

/// The column to sort by.
pub(super) struct Sort<C> {
    pub(super) column: C,
    pub(super) nulls: Nulls,
}

/// Where the nulls of a column belong.
pub(super) enum Nulls {
    /// It has none. PostgreSQL finds the order in an index only if nothing is said of them.
    None,
    Earliest,
    Latest,
}

/// Reads the page and the total, when it is the tenant's turn. The position of nulls is explicit, because the
/// databases' defaults differ. Ties are sorted by id. Rows are converted one by one so that other requests can
/// run: a hundred with full metadata take milliseconds.
pub(super) async fn page<E, C, T, O>(
    tenant: &TenantReader<'_>,
    query: Select<E>,
    request: &PageRequest<O>,
    sort: Sort<C>,
    id: C,
) -> Result<Page<T>, Error>
where
    E: EntityTrait,
    E::Model: Send + Sync,
    C: IntoSimpleExpr,
    T: TryFrom<E::Model, Error = Error>,
{
    let _turn = tenant.wait_for_list().await?;
    let store = tenant.store;
    let total = query.clone().count(&store.reader).await?;
    let order = if request.descending {
        Order::Desc
    } else {
        Order::Asc
    };
    let nulls = match (sort.nulls, request.descending) {
        (Nulls::None, _) => None,
        (Nulls::Earliest, false) | (Nulls::Latest, true) => Some(NullOrdering::First),
        (Nulls::Earliest, true) | (Nulls::Latest, false) => Some(NullOrdering::Last),
    };
    // Both databases count rows in signed 64-bit integers.
    let offset = request.offset().min(i64::MAX.unsigned_abs());
    let mut results = Vec::new();
    if offset < total {
        let query = match nulls {
            Some(nulls) => query.order_by_with_nulls(sort.column, order, nulls),
            None => query.order_by(sort.column, order),
        };
        let query = query
            .order_by(id, Order::Asc)
            .offset(offset)
            .limit(request.quantity);
        for row in store.reader.query_all(&query.into_query()).await? {
            results.push(T::try_from(E::Model::from_query_result(&row, "")?)?);
            tokio::task::yield_now().await;
        }
    }
    Ok(Page { total, results })
}
