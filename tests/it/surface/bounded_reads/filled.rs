//! Tens of thousands of rows in every table: copies of a first row, of organizations of their own.

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, QueryResult, Statement};

pub(super) const ROWS: u32 = 60_000;

/// How one database writes the parts of a copy; `n` is its number.
struct Dialect {
    backend: DbBackend,
    /// Before the statement.
    with: String,
    numbers: String,
}

impl Dialect {
    fn of(backend: DbBackend) -> Self {
        let (with, numbers) = match backend {
            DbBackend::Postgres => (String::new(), format!("generate_series(1, {ROWS}) AS s(n)")),
            _ => (
                format!(
                    "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) "
                ),
                "s".to_owned(),
            ),
        };
        Self {
            backend,
            with,
            numbers,
        }
    }

    /// The number with zeros before it.
    fn digits(&self, many: u32) -> String {
        match self.backend {
            DbBackend::Postgres => format!("lpad(n::text, {many}, '0')"),
            _ => format!("printf('%0{many}d', n)"),
        }
    }

    /// Half of the ids come before those that the service makes, half after them.
    fn id(&self, table: u32) -> String {
        self.id_after("CASE n % 2 WHEN 0 THEN '00' ELSE 'ff' END", table)
    }

    /// All of them come after.
    fn later_id(&self, table: u32) -> String {
        self.id_after("'ff'", table)
    }

    fn id_after(&self, first: &str, table: u32) -> String {
        let hex = format!("{first} || '{table}' || {}", self.digits(29));
        match self.backend {
            DbBackend::Postgres => format!("({hex})::uuid"),
            _ => format!("unhex({hex})"),
        }
    }

    fn hash(&self) -> String {
        match self.backend {
            DbBackend::Postgres => format!("decode({}, 'hex')", self.digits(64)),
            _ => format!("unhex({})", self.digits(64)),
        }
    }
}

/// Fills all tables that requests write, each of which has a row.
pub(super) async fn fill(raw: &DatabaseConnection) {
    let backend = raw.get_database_backend();
    let quick = match backend {
        DbBackend::Postgres => "SET session_replication_role = replica",
        _ => "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF",
    };
    run(raw, quick).await;
    let dialect = Dialect::of(backend);
    let [organization, account, service_account, user, session] =
        [1, 2, 3, 4, 5].map(|table| dialect.id(table));
    let (hash, code) = (dialect.hash(), dialect.digits(6));
    let text = "'xxx' || n";
    let email = "'x' || n || '@x.example'";
    let [of_organization, of_account, of_service_account, of_user] = [
        ("organization_id", &*organization),
        ("account_id", &account),
        ("service_account_id", &service_account),
        ("user_id", &user),
    ];
    let tables: &[(&str, &[(&str, &str)])] = &[
        (
            "organizations",
            &[("id", &organization), ("code", &code), ("slug", text)],
        ),
        ("organization_names", &[("name", &code), of_organization]),
        ("organization_names", &[("name", text), of_organization]),
        (
            "accounts",
            &[("id", &account), of_organization, ("code", &code)],
        ),
        (
            "service_accounts",
            &[("id", &service_account), of_organization, of_account],
        ),
        (
            "access_keys",
            &[
                ("id", &dialect.id(6)),
                of_organization,
                of_service_account,
                ("access_key", text),
            ],
        ),
        ("users", &[("id", &user), of_organization, ("email", email)]),
        (
            "sessions",
            &[
                ("id", &session),
                of_organization,
                of_user,
                ("refresh_hash", &hash),
            ],
        ),
        (
            "spent_refresh_tokens",
            &[("hash", &hash), ("session_id", &session)],
        ),
        (
            "one_time_tokens",
            &[("hash", &hash), of_organization, of_user],
        ),
        (
            "invitations",
            &[
                ("id", &dialect.id(7)),
                of_organization,
                ("email", email),
                ("hash", &hash),
                ("invited_by", &user),
            ],
        ),
        ("audit_events", &[of_organization, ("sequence", "1")]),
        ("denials", &[("id", &dialect.later_id(8)), of_organization]),
    ];
    for (table, replaced) in tables {
        copy(raw, &dialect, table, replaced).await;
    }
    let Dialect { with, numbers, .. } = &dialect;
    // Only replicas leave any.
    let nonces = format!(
        "{with}INSERT INTO write_nonces (fingerprint, claim, over_at) SELECT {hash}, {hash}, 4000000000 FROM {numbers}"
    );
    run(raw, &nonces).await;
    let changes =
        format!("{with}INSERT INTO changes (organization_id) SELECT {organization} FROM {numbers}");
    run(raw, &changes).await;
    // They wait for an hour, as after a failure: a sent one is gone.
    let jobs = format!(
        "{with}INSERT INTO jobs (id, kind, organization_id, sealed_payload, sealing_key_id, attempts, not_before, \
         expires_at, created_at) SELECT {}, 'mail', {organization}, sealed_secret, sealing_key_id, 1, \
         l.expires_at, l.expires_at, k.created_at FROM (SELECT * FROM access_keys LIMIT 1) k, \
         (SELECT max(expires_at) AS expires_at FROM one_time_tokens WHERE purpose = 'reset-password') l, {numbers}",
        dialect.id(9)
    );
    run(raw, &jobs).await;
    if backend == DbBackend::Postgres {
        run(raw, "VACUUM ANALYZE").await;
    }
}

/// Copies a table's first row, with other values in some columns.
async fn copy(raw: &DatabaseConnection, dialect: &Dialect, table: &str, replaced: &[(&str, &str)]) {
    let columns = match dialect.backend {
        DbBackend::Postgres => format!(
            "SELECT column_name::text FROM information_schema.columns WHERE table_name = '{table}'"
        ),
        _ => format!("SELECT name FROM pragma_table_info('{table}')"),
    };
    let columns: Vec<String> = rows(raw, &columns)
        .await
        .iter()
        .map(|row| row.try_get_by_index(0).expect("a name"))
        .collect();
    let values: Vec<&str> = columns
        .iter()
        .map(|column| {
            let other = replaced.iter().find(|(name, _)| name == column);
            other.map_or(&**column, |(_, value)| value)
        })
        .collect();
    let Dialect { with, numbers, .. } = dialect;
    let statement = format!(
        "{with}INSERT INTO {table} ({}) SELECT {} FROM (SELECT * FROM {table} LIMIT 1) first_row, {numbers}",
        columns.join(", "),
        values.join(", ")
    );
    let copied = raw.execute_unprepared(&statement).await;
    let copied = copied.unwrap_or_else(|error| panic!("{table}: {error}"));
    assert_eq!(copied.rows_affected(), u64::from(ROWS), "{table}");
}

pub(super) async fn run(raw: &DatabaseConnection, statement: &str) {
    let done = raw.execute_unprepared(statement).await;
    done.unwrap_or_else(|error| panic!("`{statement}`: {error}"));
}

pub(super) async fn rows(raw: &DatabaseConnection, query: &str) -> Vec<QueryResult> {
    let query = Statement::from_string(raw.get_database_backend(), query);
    raw.query_all_raw(query).await.expect("rows")
}
