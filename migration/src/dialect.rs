//! Differences between the two databases, so that each table is defined once.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// The column types and constraints of one database.
pub(crate) struct Dialect {
    pub(crate) uuid: &'static str,
    pub(crate) timestamp: &'static str,
    pub(crate) json: &'static str,
    pub(crate) boolean: &'static str,
    pub(crate) integer: &'static str,
    pub(crate) bytes: &'static str,
    /// Text that sorts by code point, whatever the database's collation.
    pub(crate) sorted_text: &'static str,
    /// After a table's closing bracket.
    pub(crate) strict: &'static str,
    /// After `strict`, for tables stored in the order of their primary key.
    pub(crate) by_primary_key: &'static str,
    sqlite: bool,
}

const POSTGRES: Dialect = Dialect {
    uuid: "uuid",
    timestamp: "timestamptz",
    json: "jsonb",
    boolean: "boolean",
    integer: "bigint",
    bytes: "bytea",
    sorted_text: "text COLLATE \"C\"",
    strict: "",
    by_primary_key: "",
    sqlite: false,
};

const SQLITE: Dialect = Dialect {
    uuid: "BLOB",
    timestamp: "TEXT",
    json: "TEXT",
    boolean: "INTEGER",
    integer: "INTEGER",
    bytes: "BLOB",
    sorted_text: "TEXT",
    // Otherwise SQLite stores any type in any column.
    strict: " STRICT",
    by_primary_key: ", WITHOUT ROWID",
    sqlite: true,
};

impl Dialect {
    pub(crate) fn of(manager: &SchemaManager<'_>) -> &'static Self {
        if manager.get_database_backend() == DbBackend::Sqlite {
            &SQLITE
        } else {
            &POSTGRES
        }
    }

    /// A trigger that runs a statement, with `OLD` and `NEW`, for each row whose column changes.
    pub(crate) fn on_change(
        &self,
        table: &str,
        column: &str,
        name: &str,
        statement: &str,
    ) -> Vec<String> {
        if self.sqlite {
            return vec![format!(
                "CREATE TRIGGER {name} AFTER UPDATE OF {column} ON {table}
                 FOR EACH ROW WHEN OLD.{column} IS NOT NEW.{column}
                 BEGIN {statement}; END"
            )];
        }
        vec![
            format!(
                "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN {statement}; RETURN NULL; END $$"
            ),
            format!(
                "CREATE TRIGGER {name} AFTER UPDATE OF {column} ON {table}
                 FOR EACH ROW WHEN (OLD.{column} IS DISTINCT FROM NEW.{column})
                 EXECUTE FUNCTION {name}()"
            ),
        ]
    }

    /// The type of a primary key that numbers rows; and, where the order of numbers may differ from that of
    /// commits, a column with the transaction that wrote the row.
    pub(crate) const fn commit_order(&self) -> (&'static str, &'static str) {
        if self.sqlite {
            ("INTEGER PRIMARY KEY AUTOINCREMENT", "")
        } else {
            (
                "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
                ", transaction_id bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)",
            )
        }
    }

    /// Drops what [`Self::on_change`] created and dropping the table leaves behind.
    pub(crate) fn after_drop(&self, name: &str) -> Vec<String> {
        if self.sqlite {
            return Vec::new();
        }
        vec![format!("DROP FUNCTION {name}()")]
    }

    /// `column` is a JSON value of this kind (`object` or `array`).
    pub(crate) fn json_is(&self, column: &str, kind: &str) -> String {
        if self.sqlite {
            format!("(json_valid({column}) AND json_type({column}) = '{kind}')")
        } else {
            format!("(jsonb_typeof({column}) = '{kind}')")
        }
    }

    /// The JSON array of strings in the column `array` contains the column `element`, which needs no JSON escapes.
    pub(crate) fn json_has(&self, array: &str, element: &str) -> String {
        if self.sqlite {
            format!("(instr({array}, '\"' || {element} || '\"') > 0)")
        } else {
            format!("(jsonb_exists({array}, {element}))")
        }
    }

    /// `column` contains no U+0000. PostgreSQL cannot store it; SQLite can, but its `length()` ends there.
    pub(crate) fn no_nul(&self, column: &str) -> String {
        if self.sqlite {
            format!("(instr({column}, char(0)) = 0)")
        } else {
            "(true)".to_owned()
        }
    }

    /// `column` is null, true or false.
    pub(crate) fn is_boolean(&self, column: &str) -> String {
        if self.sqlite {
            format!("({column} IN (0, 1))")
        } else {
            "(true)".to_owned()
        }
    }
}

/// Runs statements in order.
pub(crate) async fn run(
    manager: &SchemaManager<'_>,
    statements: impl IntoIterator<Item = impl AsRef<str> + Send> + Send,
) -> Result<(), DbErr> {
    let statements: Vec<_> = statements.into_iter().collect();
    for statement in statements {
        manager
            .get_connection()
            .execute_unprepared(statement.as_ref())
            .await?;
    }
    Ok(())
}
