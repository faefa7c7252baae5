//! How many bytes the database file grows by for each change. Measured after a clean stop, which merges the
//! write-ahead log.

use std::io::BufReader;
use std::net::TcpStream;
use std::path::Path;

use crate::charter::Charter;
use crate::person::exchange_on;
use crate::requests::filled;

const CHANGES: u64 = 2_000;

/// Returns the body of the n-th change.
type Change = fn(u64) -> String;

pub(crate) fn measure() {
    println!("bytes of the database for each of {CHANGES} changes, audit events included");
    // The size before the changes is the same for each.
    let base = after(0, |_| String::new());
    let rows: [(&str, Change); 3] = [
        ("a name", |number| format!(r#"{{"name": "Acme {number}"}}"#)),
        ("one of 15 members of 15 kB of metadata", |number| {
            if number == 0 {
                return filled(0);
            }
            let value = format!("{number:016}").repeat(60);
            serde_json::json!({"metadata": {"key-3": value}}).to_string()
        }),
        ("all of 15 kB of metadata", filled),
    ];
    for (what, change) in rows {
        let grown = after(CHANGES, change).saturating_sub(base);
        println!("  {what:40} {:>8}", grown / CHANGES);
    }
}

fn after(changes: u64, body: Change) -> u64 {
    let mut server = Charter::start_with(&[]);
    let client = server.client("CHARTER");
    let stream = TcpStream::connect(&server.host).expect("connected");
    stream.set_nodelay(true).expect("an option");
    let mut connection = BufReader::new(stream);
    for number in 0..changes {
        let request = client.request("PATCH", "/organizations/info", &body(number), &server.host);
        let answer = exchange_on(&mut connection, &request).expect("an answer");
        assert!(answer.status.contains("200"), "{}", answer.body);
    }
    server.stop();
    length(&server.database_file())
}

fn length(file: &Path) -> u64 {
    std::fs::metadata(file).expect("a database").len()
}
