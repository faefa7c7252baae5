//! Five hundred users sign in at once: the effect on other requests, and the memory.

use std::io::BufReader;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::charter::Charter;
use crate::load;
use crate::person::{Person, exchange, exchange_on, login};

const AT_ONCE: usize = 500;
const ROUNDS: usize = 5;
/// Few enough that these requests do not saturate the processors themselves.
const CONNECTIONS: usize = 2;
const OTHERS: usize = 20_000;

pub(crate) fn beside_other_routes(server: &Charter, person: &Person) {
    let read = vec![person.get("/api/portal/organization", &server.host); OTHERS];
    let at_rest = server.resident_kib();
    let with_readers = readers_at_once(server, person, &read);
    let most = AtomicU64::new(0);
    let (mut quiet, mut busy) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let alone = load::run(&server.host, &read, CONNECTIONS);
        let over = AtomicBool::new(false);
        let (beside, signed_in, took) = thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    most.fetch_max(server.resident_kib(), Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(5));
                }
            });
            let crowd = scope.spawn(|| {
                let began = Instant::now();
                (sign_in_at_once(server, person), began.elapsed())
            });
            thread::sleep(Duration::from_millis(200));
            let mut beside = Vec::new();
            while !crowd.is_finished() {
                beside.push(load::run(&server.host, &read[..1_000], CONNECTIONS));
            }
            over.store(true, Ordering::SeqCst);
            let (signed_in, took) = crowd.join().expect("the crowd");
            (beside, signed_in, took)
        });
        if round > 0 {
            let mut p99s: Vec<_> = beside.iter().map(|run| run.p99.as_secs_f64()).collect();
            p99s.sort_by(f64::total_cmp);
            let p99 = p99s[p99s.len() / 2];
            println!(
                "{signed_in} of {AT_ONCE} signed in within {took:.1?}; others' p99 {:.3} ms, alone {:.3} ms",
                p99 * 1e3,
                alone.p99.as_secs_f64() * 1e3
            );
            quiet.push(alone.p99.as_secs_f64());
            busy.push(p99);
        }
    }
    let (quiet, busy) = (crate::median(quiet), crate::median(busy));
    println!(
        "others' p99 while {AT_ONCE} sign in: ratio {:.2}",
        busy / quiet
    );
    let most = most.load(Ordering::SeqCst);
    println!(
        "resident memory: {at_rest} KiB before, {with_readers} KiB with as many connections \
         that read, {most} KiB at most while they sign in\n"
    );
}

/// Resident memory with as many connections for other requests, and the same background requests.
fn readers_at_once(server: &Charter, person: &Person, read: &[Vec<u8>]) -> u64 {
    let request = person.get("/api/portal/organization", &server.host);
    let mut connections: Vec<_> = (0..AT_ONCE)
        .map(|_| BufReader::new(TcpStream::connect(&server.host).expect("connected")))
        .collect();
    for connection in &mut connections {
        exchange_on(connection, &request).expect("an answer");
    }
    let mut most = server.resident_kib();
    for requests in read.chunks(1_000) {
        load::run(&server.host, requests, CONNECTIONS);
        most = most.max(server.resident_kib());
    }
    most
}

/// Returns the number of successful sign-ins.
fn sign_in_at_once(server: &Charter, person: &Person) -> usize {
    let request = login(&person.email, &person.password, "", &server.host);
    thread::scope(|scope| {
        let crowd: Vec<_> = (0..AT_ONCE)
            .map(|_| scope.spawn(|| exchange(&server.host, &request).status.contains("200")))
            .collect();
        let let_in = crowd.into_iter().map(|one| one.join().expect("an answer"));
        let_in.filter(|let_in| *let_in).count()
    })
}
