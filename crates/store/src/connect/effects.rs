//! Changes that go to the database in one trip.

use sea_orm::sea_query::{
    CommonTableExpression, Expr, InsertStatement, Query, Returning, SelectStatement,
    SubQueryStatement, UnionType, UpdateStatement, Values, WithClause, WithQuery,
};
use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, Statement};

use super::transaction::Transaction;

/// A statement that changes rows.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
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

impl Transaction {
    /// Runs all of them, in one trip; whether each changed one row. On PostgreSQL none sees another's changes.
    ///
    /// # Errors
    ///
    /// The first that fails; then the transaction can only be dropped.
    pub(crate) async fn run_together(&self, effects: Vec<Effect>) -> Result<bool, DbErr> {
        let count = effects.len();
        if self.get_database_backend() == DbBackend::Postgres {
            let rows = self.query_all(&as_one_query(effects)).await?;
            let numbers = rows.iter().map(|row| row.try_get_by_index::<i32>(0));
            let mut numbers: Vec<i32> = numbers.collect::<Result<_, _>>()?;
            numbers.sort_unstable();
            let expected = (0..).take(count);
            Ok(numbers.into_iter().eq(expected))
        } else {
            // The driver reports the sum alone; the same effects are counted one by one on PostgreSQL.
            let changed = self.execute_raw(as_script(effects)).await?.rows_affected();
            Ok(u64::try_from(count).is_ok_and(|count| count == changed))
        }
    }
}

/// Statements that follow one another. The driver deals their values out in order.
fn as_script(effects: Vec<Effect>) -> Statement {
    let backend = DbBackend::Sqlite;
    let (mut script, mut values) = (String::new(), Vec::new());
    for effect in effects {
        let statement = match &effect {
            Effect::Insert(insert) => backend.build(insert),
            Effect::Update(update) => backend.build(update),
        };
        if !script.is_empty() {
            script.push_str("; ");
        }
        script.push_str(&statement.sql);
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
fn as_one_query(effects: Vec<Effect>) -> WithQuery {
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
        assert_eq!(
            script.sql,
            r#"UPDATE "notes" SET "text" = ? WHERE "id" = ?; INSERT INTO "changes" ("note", "by") VALUES (?, ?)"#
        );
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
