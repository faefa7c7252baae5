//! Copies of the demo's rows in the database of a service that is stopped.

use std::path::Path;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    Statement, Value,
};

/// Opens the file for quick writes that a crash may lose.
pub(crate) async fn open(file: &Path) -> DatabaseConnection {
    let mut options = ConnectOptions::new(format!("sqlite://{}", file.display()));
    options.max_connections(1).sqlx_logging(false);
    let database = Box::pin(Database::connect(options))
        .await
        .expect("the database");
    let quick = "PRAGMA synchronous = OFF; PRAGMA cache_size = -262144";
    database.execute_unprepared(quick).await.expect("settings");
    database
}

/// Inserts copies of a table's first row, the demo's, with new values in some columns.
pub(crate) struct Copies<'a> {
    rows: &'a DatabaseTransaction,
    statement: String,
}

impl<'a> Copies<'a> {
    pub(crate) async fn of(rows: &'a DatabaseTransaction, table: &str, replaced: &[&str]) -> Self {
        let text = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns = Statement::from_string(DbBackend::Sqlite, text);
        let columns = rows.query_all_raw(columns).await.expect("a table");
        let columns = columns.iter().map(|row| row.try_get_by_index(0));
        let columns: Vec<String> = columns.collect::<Result<_, _>>().expect("names");
        let of_copy = columns.iter().map(|column| {
            let place = replaced.iter().position(|name| name == column);
            place.map_or_else(|| column.clone(), |place| format!("?{}", place + 1))
        });
        let of_copy: Vec<String> = of_copy.collect();
        let (columns, of_copy) = (columns.join(", "), of_copy.join(", "));
        let first = format!("(SELECT min(rowid) FROM {table})");
        let statement = format!(
            "INSERT INTO {table} ({columns}) SELECT {of_copy} FROM {table} WHERE rowid = {first}"
        );
        Self { rows, statement }
    }

    pub(crate) async fn insert(&self, values: impl IntoIterator<Item = Value>) {
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, &self.statement, values);
        let inserted = self.rows.execute_raw(statement).await.expect("inserted");
        assert_eq!(inserted.rows_affected(), 1, "the demo has such a row");
    }
}
