//! Changes that go to the database in one trip.

use sea_orm::sea_query::{
    CommonTableExpression, Expr, InsertStatement, Query, Returning, SelectStatement,
    SubQueryStatement, UnionType, UpdateStatement, Values, WithClause, WithQuery,
};
use sea_orm::{DbBackend, DbErr, QueryResult, RuntimeErr, Statement};

/// A statement that changes rows.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    /// Without a clause for conflicts.
    Insert(InsertStatement),
    Update(UpdateStatement),
}

impl From<InsertStatement> for Effect {
    fn from(insert: InsertStatement) -> Self {
        Self::Insert(insert)
    }
}

impl From<UpdateStatement> for Effect {
    fn from(update: UpdateStatement) -> Self {
        Self::Update(update)
    }
}

/// Fails with an integer overflow unless the statement before it changed one row.
const ONE_ROW: &str = "SELECT abs((changes() <> 1) * -9223372036854775808)";

/// Whether a statement of a script did not change one row.
pub(super) fn is_refused(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source))) =
        error
    else {
        return false;
    };
    // SQLITE_ERROR; no effect computes anything that could overflow itself.
    source.as_database_error().is_some_and(|error| {
        error.code().as_deref() == Some("1") && error.message() == "integer overflow"
    })
}

/// Whether each effect of [`as_one_query`] changed one row.
///
/// # Errors
///
/// If a row is no number.
pub(super) fn are_done(rows: &[QueryResult], count: usize) -> Result<bool, DbErr> {
    let numbers = rows.iter().map(|row| row.try_get_by_index::<i32>(0));
    let mut numbers: Vec<i32> = numbers.collect::<Result<_, _>>()?;
    numbers.sort_unstable();
    Ok(numbers.into_iter().eq((0..).take(count)))
}

/// Statements that follow one another. The driver deals their values out in order, and stops at the first that
/// fails. A row that is not inserted is an error of its own.
pub(super) fn as_script(effects: Vec<Effect>) -> Statement {
    let backend = DbBackend::Sqlite;
    let (mut script, mut values) = (String::new(), Vec::new());
    for effect in effects {
        let statement = match &effect {
            Effect::Insert(insert) => backend.build(insert),
            Effect::Update(update) => backend.build(update),
        };
        let is_guarded = matches!(effect, Effect::Update(_));
        if !script.is_empty() {
            script.push_str("; ");
        }
        script.push_str(&statement.sql);
        if is_guarded {
            script.push_str("; ");
            script.push_str(ONE_ROW);
        }
        values.extend(
            statement
                .values
                .into_iter()
                .flat_map(|Values(values)| values),
        );
    }
    Statement::from_sql_and_values(backend, script, values)
}

/// A query that has them as its common table expressions, and the effect's number for each row that it changes.
pub(super) fn as_one_query(effects: Vec<Effect>) -> WithQuery {
    let mut with = WithClause::new();
    let mut changed: Option<SelectStatement> = None;
    for (number, effect) in effects.into_iter().enumerate() {
        let name = format!("effect_{number}");
        let number = || Expr::cust(number.to_string());
        let changed_row = || Returning::new().exprs([number()]);
        let statement = match effect {
            Effect::Insert(mut insert) => {
                SubQueryStatement::InsertStatement(insert.returning(changed_row()).take())
            }
            Effect::Update(mut update) => {
                SubQueryStatement::UpdateStatement(update.returning(changed_row()).take())
            }
        };
        let mut table = CommonTableExpression::new();
        table.table_name(name.clone()).query(statement);
        with.cte(table);
        let rows = Query::select().expr(number()).from(name).take();
        match &mut changed {
            None => changed = Some(rows),
            Some(changed) => {
                changed.union(UnionType::All, rows);
            }
        }
    }
    changed.unwrap_or_default().with(with)
}

#[cfg(test)]
mod tests {
    use sea_orm::Value;
    use sea_orm::sea_query::ExprTrait as _;

    use super::*;

    fn effects() -> Vec<Effect> {
        let update = Query::update()
            .table("notes")
            .value("text", "new")
            .and_where(Expr::col("id").eq(7))
            .take();
        let insert = Query::insert()
            .into_table("changes")
            .columns(["note", "by"])
            .values_panic([7.into(), "me".into()])
            .take();
        vec![update.into(), insert.into()]
    }

    fn values(statement: Statement) -> Vec<Value> {
        statement.values.map_or_else(Vec::new, |values| values.0)
    }

    #[test]
    fn statements_of_sqlite_follow_one_another_with_their_values() {
        let script = as_script(effects());
        let update = r#"UPDATE "notes" SET "text" = ? WHERE "id" = ?"#;
        let insert = r#"INSERT INTO "changes" ("note", "by") VALUES (?, ?)"#;
        assert_eq!(script.sql, format!("{update}; {ONE_ROW}; {insert}"));
        let expected: [Value; 4] = ["new".into(), 7.into(), 7.into(), "me".into()];
        assert_eq!(values(script), expected);
    }

    #[test]
    fn postgres_gets_one_query_that_says_which_effect_changed_each_row() {
        let query = DbBackend::Postgres.build(&as_one_query(effects()));
        assert_eq!(
            query.sql,
            concat!(
                r#"WITH "effect_0" AS (UPDATE "notes" SET "text" = $1 WHERE "id" = $2 RETURNING 0) , "#,
                r#""effect_1" AS (INSERT INTO "changes" ("note", "by") VALUES ($3, $4) RETURNING 1) "#,
                r#"SELECT 0 FROM "effect_0" UNION ALL (SELECT 1 FROM "effect_1")"#
            )
        );
        let expected: [Value; 4] = ["new".into(), 7.into(), 7.into(), "me".into()];
        assert_eq!(values(query), expected);
    }
}
