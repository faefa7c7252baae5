//! What the two engines spell differently, so that each table is written down once.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// The column types and checks of one engine.
pub(crate) struct Dialect {
    pub(crate) uuid: &'static str,
    pub(crate) timestamp: &'static str,
    pub(crate) json: &'static str,
    pub(crate) boolean: &'static str,
    pub(crate) integer: &'static str,
    pub(crate) bytes: &'static str,
    /// Text that sorts by code point, whatever the database's own collation is.
    pub(crate) sorted_text: &'static str,
    /// What follows a table's closing bracket.
    pub(crate) strict: &'static str,
    /// What follows that, where a table is to be kept in the order of its primary key.
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
    // Without it SQLite stores any type in any column.
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

    /// Runs a statement, over `OLD` and `NEW`, for each row of the table whose column changes.
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

    /// The type of a primary key that numbers rows, and the column that says which transaction wrote a row where
    /// the order of numbers is not that of commits.
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

    /// Drops what [`Self::on_change`] made and its table did not take along.
    pub(crate) fn after_drop(&self, name: &str) -> Vec<String> {
        if self.sqlite {
            return Vec::new();
        }
        vec![format!("DROP FUNCTION {name}()")]
    }

    /// `column` holds a JSON value of that kind (`object` or `array`).
    pub(crate) fn json_is(&self, column: &str, kind: &str) -> String {
        if self.sqlite {
            format!("(json_valid({column}) AND json_type({column}) = '{kind}')")
        } else {
            format!("(jsonb_typeof({column}) = '{kind}')")
        }
    }

    /// The JSON array of strings in `array` has `element`, a column of plain words.
    pub(crate) fn json_has(&self, array: &str, element: &str) -> String {
        if self.sqlite {
            format!("(instr({array}, '\"' || {element} || '\"') > 0)")
        } else {
            format!("(jsonb_exists({array}, {element}))")
        }
    }

    /// `column` has no U+0000. PostgreSQL cannot store one; SQLite can, and then its `length()`
    /// stops there.
    pub(crate) fn no_nul(&self, column: &str) -> String {
        if self.sqlite {
            format!("(instr({column}, char(0)) = 0)")
        } else {
            "(true)".to_owned()
        }
    }

    /// `column`, where it is not null, is true or false.
    pub(crate) fn is_boolean(&self, column: &str) -> String {
        if self.sqlite {
            format!("({column} IN (0, 1))")
        } else {
            "(true)".to_owned()
        }
    }
}

/// Runs statements one after another.
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
