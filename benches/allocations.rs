//! Counts allocations per request, in process: blocks and bytes of all threads of the service, including the
//! decision log, while an allocation-free client reads over one connection.
//!
//! `cargo bench --bench allocations`; `-- profile` also writes `dhat-heap.json` with the call sites (view it with
//! <https://nnethercote.github.io/dh_view/dh_view.html>). For system calls see `benches/load`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot prepare has nothing to measure"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use charter_domain::permission::Permission;
use dhat::{HeapStats, Profiler};
use test_support::service::{Person, Service, Signer, TeamRole, new_nonce};
use test_support::services::TestDatabase;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const REQUESTS: usize = 5_000;
const WARM_UP: usize = 1_000;

fn main() {
    let is_profile = std::env::args().any(|argument| argument == "profile");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let started = runtime.block_on(start());
    let (service, signer, person) = &started;
    let by_key = (0..REQUESTS).map(|_| signed_read(service, signer));
    let by_key: Vec<_> = by_key.collect();
    let by_token = vec![bearer_read(service, person); REQUESTS];
    let profiler = Profiler::builder();
    let profiler = if is_profile {
        profiler
    } else {
        profiler.testing()
    };
    let profiler = profiler.build();
    println!("| request | blocks | bytes |\n| --- | --- | --- |");
    for (name, requests) in [("signed read", by_key), ("bearer read", by_token)] {
        let mut connection = TcpStream::connect(service.address()).expect("connected");
        send(&mut connection, &requests[..WARM_UP]);
        let before = HeapStats::get();
        send(&mut connection, &requests[WARM_UP..]);
        let after = HeapStats::get();
        let each = |total: u64| total as f64 / (REQUESTS - WARM_UP) as f64;
        println!(
            "| {name} | {:.0} | {:.0} |",
            each(after.total_blocks - before.total_blocks),
            each(after.total_bytes - before.total_bytes)
        );
    }
    drop(profiler);
    runtime.block_on(started.0.stop());
}

async fn start() -> (Service, Signer, Person) {
    let settings = "[decisions]\nallowed_per_second = 1\n\
                    [rate_limits]\nkey_rate = 0\norganization_rate = 0";
    let service = Service::with(TestDatabase::sqlite(), settings).await;
    let acme = service.organization("acme").await;
    let signer = acme.signer(&[Permission::GetOrganization]).await;
    let person = acme.person(TeamRole::Owner).await;
    (service, signer, person)
}

fn signed_read(service: &Service, signer: &Signer) -> Vec<u8> {
    let request = signing::Request {
        method: "GET",
        target: "/organizations/info",
        body: b"",
        date: &service.clock.in_seconds(0),
        nonce: &new_nonce(),
    };
    let key = signing::Key::new(&signer.signature.secret_key);
    let headers = request.sign(&signer.signature.access_key, &key);
    let mut text = head(service, request.target);
    for (name, value) in headers.expect("signable").pairs() {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text += "\r\n";
    text.into_bytes()
}

fn bearer_read(service: &Service, person: &Person) -> Vec<u8> {
    let head = head(service, "/api/portal/organization");
    format!("{head}authorization: Bearer {}\r\n\r\n", person.token).into_bytes()
}

fn head(service: &Service, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: {}\r\n", service.address())
}

/// Sequentially.
fn send(connection: &mut TcpStream, requests: &[Vec<u8>]) {
    let mut buffer = [0; 8192];
    for request in requests {
        connection.write_all(request).expect("sent");
        let mut filled = 0;
        while !buffer[..filled].ends_with(b"}") {
            let read = connection.read(&mut buffer[filled..]).expect("an answer");
            assert!(read > 0, "the service closed the connection");
            filled += read;
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200"));
    }
}
