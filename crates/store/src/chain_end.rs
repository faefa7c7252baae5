//! Reads the end of an organization's audit chain, alone or beside something else.

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Order, Query, SelectStatement};
use sea_orm::{ColumnTrait, DbBackend, FromQueryResult, QueryResult};

use super::Error;
use super::audit_mac::Link;
use super::entity::audit_event::{Column, Entity};
use charter_domain::id::OrganizationId;

#[derive(FromQueryResult)]
struct Row {
    chain_sequence: Option<i64>,
    chain_mac: Option<Vec<u8>>,
}

/// A query for it; an empty chain has no row.
pub(super) fn query(organization: OrganizationId, backend: DbBackend) -> SelectStatement {
    let mut query = Query::select();
    query.from(Entity).and_where(is_last(organization, backend));
    add_columns(&mut query);
    query
}

/// Adds it to each row of a query.
pub(super) fn join(query: &mut SelectStatement, organization: OrganizationId, backend: DbBackend) {
    query.left_join(Entity, is_last(organization, backend));
    add_columns(query);
}

pub(super) fn read(row: &QueryResult) -> Result<Link, Error> {
    let row = Row::from_query_result(row, "")?;
    match (row.chain_sequence, row.chain_mac) {
        (Some(sequence), Some(mac)) => Link::new(sequence, &mac),
        _ => Ok(Link::ORIGIN),
    }
}

fn add_columns(query: &mut SelectStatement) {
    query
        .expr_as(
            Expr::col(Column::Sequence.as_column_ref()),
            Alias::new("chain_sequence"),
        )
        .expr_as(
            Expr::col(Column::Mac.as_column_ref()),
            Alias::new("chain_mac"),
        );
}

/// By its number. SQLite prepares a statement anew whenever its limit is bound. PostgreSQL reads the whole chain for a
/// `max` if the plan is from when the chain was short, and once more for each event if it is compared with `IN`.
fn is_last(organization: OrganizationId, backend: DbBackend) -> Expr {
    let mut last = Query::select();
    last.from(Entity)
        .and_where(Column::OrganizationId.eq(organization.uuid()));
    if backend == DbBackend::Sqlite {
        last.expr(Column::Sequence.max());
    } else {
        last.column(Column::Sequence)
            .order_by(Column::Sequence, Order::Desc)
            .limit(1);
    }
    let is_last = Expr::col(Column::Sequence.as_column_ref()).eq(last);
    Column::OrganizationId.eq(organization.uuid()).and(is_last)
}
