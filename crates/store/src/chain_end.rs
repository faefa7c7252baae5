//! Reads the end of an organization's audit chain, alone or beside something else.

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{ColumnTrait, FromQueryResult, QueryResult};

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
pub(super) fn query(organization: OrganizationId) -> SelectStatement {
    let mut query = Query::select();
    query.from(Entity).and_where(is_last(organization));
    add_columns(&mut query);
    query
}

/// Adds it to each row of a query.
pub(super) fn join(query: &mut SelectStatement, organization: OrganizationId) {
    query.left_join(Entity, is_last(organization));
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

/// By its number and without a limit: SQLite prepares a statement anew whenever its limit is bound. Compared with `=`:
/// PostgreSQL asks a subquery of `IN` anew for every event of the organization.
fn is_last(organization: OrganizationId) -> Expr {
    let last = Query::select()
        .expr(Column::Sequence.max())
        .from(Entity)
        .and_where(Column::OrganizationId.eq(organization.uuid()))
        .take();
    let is_last = Expr::col(Column::Sequence.as_column_ref()).eq(last);
    Column::OrganizationId.eq(organization.uuid()).and(is_last)
}
