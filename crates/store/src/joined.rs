//! Queries over several tables whose columns are distinguished by prefixes. Their SQL is built once.

use sea_orm::sea_query::{
    Alias, Expr, ExprTrait as _, PostgresQueryBuilder, SelectStatement, SqliteQueryBuilder,
};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, IdenStatic, Iterable};

/// All columns of a table, prefixed.
pub(super) fn columns<E: EntityTrait>(query: &mut SelectStatement, prefix: &str) {
    for column in E::Column::iter() {
        let alias = Alias::new(format!("{prefix}{}", column.as_str()));
        query.expr_as(Expr::col((E::default(), column)), alias);
    }
}

/// Joins the table of `key`, to which `reference` refers.
pub(super) fn join(
    query: &mut SelectStatement,
    key: impl ColumnTrait,
    reference: impl ColumnTrait,
) {
    let on = Expr::col(key.as_column_ref()).equals(reference.as_column_ref());
    query.inner_join(key.entity_name(), on);
}

pub(super) fn text(query: &SelectStatement, backend: DbBackend) -> String {
    match backend {
        DbBackend::Sqlite => query.build(SqliteQueryBuilder).0,
        _ => query.build(PostgresQueryBuilder).0,
    }
}
