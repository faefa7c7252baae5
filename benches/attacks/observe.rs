//! The well-behaved client and a poller of `/readyz`, each sending at fixed times regardless of responses.
//! Latencies are counted from the time when the request was due.

use std::fmt;
use std::io::BufReader;
use std::net::TcpStream;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::charter::Charter;
use crate::person::exchange_on;

const LANES: u32 = 4;
const READS_A_SECOND: u32 = 300;
const PROBE_EVERY: Duration = Duration::from_millis(50);
const BESIDE_EVERY: Duration = Duration::from_millis(500);

/// Another action of a well-behaved client; returns whether it succeeded.
pub(crate) type Beside = Box<dyn FnMut() -> bool + Send>;

/// The measurements of a period.
pub(crate) struct Observed {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) slowest: Duration,
    pub(crate) asked: usize,
    pub(crate) failed: usize,
    pub(crate) slowest_readyz: Duration,
    pub(crate) beside: BesideSeen,
}

pub(crate) struct BesideSeen(Option<Run>);

impl fmt::Display for BesideSeen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(run) = &self.0 else {
            return Ok(());
        };
        let (slowest, asked) = (
            run.times.last().copied().unwrap_or_default(),
            run.times.len(),
        );
        let failed = run.failed;
        write!(
            formatter,
            "; beside it slowest {slowest:.1?}, failed {failed} of {asked}"
        )
    }
}

/// Sorted latencies, and the number of failures.
#[derive(Default)]
struct Run {
    times: Vec<Duration>,
    failed: usize,
}

impl Run {
    /// Acts at fixed times.
    fn of(every: Duration, first: Duration, time: Duration, mut act: impl FnMut() -> bool) -> Self {
        let started = Instant::now();
        let mut run = Self::default();
        let mut due = first;
        while due < time {
            thread::sleep(due.saturating_sub(started.elapsed()));
            run.failed += usize::from(!act());
            run.times.push(started.elapsed().saturating_sub(due));
            due += every;
        }
        run.times.sort();
        run
    }
}

pub(crate) fn observe(server: &Charter, time: Duration, beside: Option<&mut Beside>) -> Observed {
    let (reads, readyz, beside) = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| scope.spawn(move || reads(server, lane, time)))
            .collect();
        let prober = scope.spawn(|| {
            let request = format!(
                "GET /readyz HTTP/1.1\r\nhost: {}\r\n\r\n",
                server.operations
            );
            Run::of(PROBE_EVERY, Duration::ZERO, time, || {
                connection(&server.operations).is_some_and(|mut connection| {
                    exchange_on(&mut connection, request.as_bytes())
                        .is_ok_and(|answer| answer.status.contains("200"))
                })
            })
        });
        let beside =
            beside.map(|act| scope.spawn(move || Run::of(BESIDE_EVERY, Duration::ZERO, time, act)));
        let mut reads = Run::default();
        for run in lanes.into_iter().map(join) {
            reads.times.extend(run.times);
            reads.failed += run.failed;
        }
        reads.times.sort();
        (reads, join(prober), beside.map(join))
    });
    let asked = reads.times.len();
    Observed {
        p50: reads.times[asked / 2],
        p99: reads.times[asked * 99 / 100],
        slowest: reads.times[asked - 1],
        asked,
        failed: reads.failed + readyz.failed,
        slowest_readyz: readyz.times[readyz.times.len() - 1],
        beside: BesideSeen(beside),
    }
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().expect("it ends")
}

/// One of the connections of the signed reads.
fn reads(server: &Charter, lane: u32, time: Duration) -> Run {
    let client = server.client("CHARTER_READER");
    let mut kept = None;
    let between = Duration::from_secs(1) / READS_A_SECOND;
    Run::of(between * LANES, between * lane, time, || {
        let request = client.request("GET", "/organizations/info", "", &server.host);
        let Some(mut connection) = kept.take().or_else(|| connection(&server.host)) else {
            return false;
        };
        match exchange_on(&mut connection, &request) {
            Ok(answer) => {
                kept = Some(connection);
                answer.status.contains("200")
            }
            Err(_closed) => false,
        }
    })
}

fn connection(host: &str) -> Option<BufReader<TcpStream>> {
    let stream = TcpStream::connect(host).ok()?;
    stream.set_nodelay(true).ok()?;
    Some(BufReader::new(stream))
}
