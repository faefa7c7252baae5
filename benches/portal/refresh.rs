//! Refreshing, against what it cannot do without: one guarded UPDATE in a transaction of its own,
//! with the same durability, on the same database file.

use std::io::BufReader;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{Connection as _, Executor as _, SqliteConnection, query};

use crate::charter::Charter;
use crate::person::{exchange, exchange_on, login, refresh};

const LANES: usize = 8;
const EACH: usize = 250;
const ROUNDS: usize = 5;

pub(crate) fn against_a_bare_update(server: &Charter) {
    let (mut of_refresh, mut of_update) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let update = updates(server);
        let refreshes = refreshes(server);
        if round > 0 {
            println!("{refreshes:.0} refreshes a second, {update:.0} bare updates a second");
            of_refresh.push(refreshes);
            of_update.push(update);
        }
    }
    let (refreshes, updates) = (crate::median(of_refresh), crate::median(of_update));
    println!(
        "refresh: {refreshes:.0} / {updates:.0} a second, ratio {:.2}",
        refreshes / updates
    );
}

/// Of eight people who each refresh again and again.
fn refreshes(server: &Charter) -> f64 {
    let (email, password) = (
        server.demo_value("CHARTER_PORTAL_EMAIL"),
        server.demo_value("CHARTER_PORTAL_PASSWORD"),
    );
    let cookies: Vec<_> = (0..LANES)
        .map(|_| {
            let answer = exchange(&server.host, &login(&email, &password, "", &server.host));
            answer.refresh_token.expect("a cookie")
        })
        .collect();
    let began = Instant::now();
    thread::scope(|scope| {
        for mut cookie in cookies {
            scope.spawn(move || {
                let stream = TcpStream::connect(&server.host).expect("connected");
                stream.set_nodelay(true).expect("an option");
                let mut connection = BufReader::new(stream);
                for _ in 0..EACH {
                    let answer = exchange_on(&mut connection, &refresh(&cookie, &server.host))
                        .expect("an answer");
                    cookie = answer.refresh_token.expect("a successor");
                }
            });
        }
    });
    (LANES * EACH) as f64 / began.elapsed().as_secs_f64()
}

/// One writer, as the service has one.
fn updates(server: &Charter) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(server.database_file())
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(5));
        let mut connection = SqliteConnection::connect_with(&options).await.expect("connected");
        let make = "CREATE TABLE IF NOT EXISTS bench (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, n INTEGER NOT NULL)";
        connection.execute(make).await.expect("a table");
        connection
            .execute("INSERT OR REPLACE INTO bench VALUES (1, x'00', 0)")
            .await
            .expect("a row");
        let began = Instant::now();
        for n in 0..LANES * EACH {
            let n = i64::try_from(n).expect("a small number");
            let update = "UPDATE bench SET n = n + 1, hash = ? WHERE id = 1 AND n = ?";
            connection.execute("BEGIN IMMEDIATE").await.expect("begun");
            let update = query(update).bind(n.to_be_bytes().repeat(4)).bind(n);
            let done = update.execute(&mut connection).await.expect("updated");
            assert_eq!(done.rows_affected(), 1);
            connection.execute("COMMIT").await.expect("committed");
        }
        let rate = (LANES * EACH) as f64 / began.elapsed().as_secs_f64();
        connection.execute("DROP TABLE bench").await.expect("dropped");
        connection.close().await.expect("closed");
        rate
    })
}
