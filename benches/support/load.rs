//! A load generator on one thread. In closed loop each connection sends its next request after the response; in
//! open loop requests are due at a fixed rate regardless of responses, and latencies are counted from when they
//! were due.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// The measurements of one run.
pub(crate) struct Measured {
    /// Responses a second.
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) answers: u64,
    /// Responses other than 200.
    pub(crate) unexpected: usize,
    /// Their counts.
    pub(crate) errors: BTreeMap<String, usize>,
}

/// Requests, each sent once, and how they are sent.
pub(crate) struct Plan {
    pub(crate) host: String,
    pub(crate) connections: usize,
    /// Requests a second, in open loop.
    pub(crate) rate: Option<u32>,
    pub(crate) requests: Vec<Vec<u8>>,
}

impl Plan {
    pub(crate) fn run(self) -> Measured {
        Arc::new(Run::new(self)).send()
    }

    /// Runs as long as `work`: returns its result and the measurements meanwhile.
    pub(crate) fn run_beside<T>(self, work: impl FnOnce() -> T) -> (T, Measured) {
        let run = Arc::new(Run::new(self));
        let beside = Arc::clone(&run);
        let sending = thread::spawn(move || beside.send());
        let done = work();
        run.is_over.store(true, Ordering::Relaxed);
        (done, sending.join().expect("it ends"))
    }
}

/// Sends every request once in closed loop.
pub(crate) fn run(host: &str, requests: &[Vec<u8>], connections: usize) -> Measured {
    let plan = Plan {
        host: host.to_owned(),
        connections,
        rate: None,
        requests: requests.to_vec(),
    };
    plan.run()
}

/// Latencies and errors so far.
pub(crate) struct Times {
    histogram: Histogram<u64>,
    errors: BTreeMap<String, usize>,
}

impl Default for Times {
    fn default() -> Self {
        // In nanoseconds, with an error of at most a thousandth.
        let histogram = Histogram::new(3).expect("three digits");
        Self {
            histogram,
            errors: BTreeMap::new(),
        }
    }
}

impl Times {
    pub(crate) fn add(&mut self, time: Duration, error: Option<String>) {
        let nanos = u64::try_from(time.as_nanos()).expect("less than centuries");
        self.histogram.record(nanos).expect("it grows");
        if let Some(error) = error {
            *self.errors.entry(error).or_default() += 1;
        }
    }

    pub(crate) fn within(&self, elapsed: Duration) -> Measured {
        let quantile = |at| Duration::from_nanos(self.histogram.value_at_quantile(at));
        Measured {
            rate: self.histogram.len() as f64 / elapsed.as_secs_f64(),
            p50: quantile(0.5),
            p99: quantile(0.99),
            answers: self.histogram.len(),
            unexpected: self.errors.values().sum(),
            errors: self.errors.clone(),
        }
    }
}

struct Run {
    plan: Plan,
    next: AtomicUsize,
    is_over: AtomicBool,
    /// In open loop, a permit for each request that is due.
    due: Semaphore,
    times: Mutex<Times>,
}

impl Run {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            next: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            due: Semaphore::new(0),
            times: Mutex::default(),
        }
    }

    fn send(self: Arc<Self>) -> Measured {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut streams = Vec::new();
            for _ in 0..self.plan.connections {
                streams.push(self.connect().await);
            }
            let started = Instant::now();
            let arrivals = Arc::clone(&self);
            let arrivals = thread::spawn(move || arrivals.let_in(started));
            let lanes = streams
                .into_iter()
                .map(|stream| tokio::spawn(Arc::clone(&self).lane(stream, started)));
            let lanes: Vec<_> = lanes.collect();
            for lane in lanes {
                lane.await.expect("a lane");
            }
            let elapsed = started.elapsed();
            arrivals.join().expect("it ends");
            self.times().within(elapsed)
        })
    }

    fn times(&self) -> std::sync::MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.plan.host)
            .await
            .expect("connected");
        stream.set_nodelay(true).expect("an option");
        stream
    }

    /// When a request is due.
    fn due(&self, started: Instant, number: usize) -> Option<Instant> {
        let number = u32::try_from(number).expect("few requests");
        let rate = self.plan.rate?;
        Some(started + Duration::from_secs(1) / rate * number)
    }

    /// The runtime's own timer is exact to a millisecond only.
    fn let_in(&self, started: Instant) {
        for number in 0..self.plan.requests.len() {
            let Some(due) = self.due(started, number) else {
                return;
            };
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.due.add_permits(1);
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
        }
        // Each connection learns that no requests follow.
        self.due.add_permits(self.plan.connections);
    }

    async fn lane(self: Arc<Self>, mut stream: TcpStream, started: Instant) {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if self.plan.rate.is_some() {
                self.due.acquire().await.expect("open").forget();
            }
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = self.plan.requests.get(number) else {
                return;
            };
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let began = self.due(started, number).unwrap_or_else(Instant::now);
            let answer = exchange(&mut stream, request, &mut buffer).await;
            let error = match answer {
                Ok(error) => error,
                Err(closed) => {
                    stream = self.connect().await;
                    Some(closed.to_string())
                }
            };
            self.times().add(began.elapsed(), error);
        }
    }
}

/// Reads a response with a `content-length`; returns what it is, unless it is a 200.
async fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &mut [u8],
) -> io::Result<Option<String>> {
    stream.write_all(request).await?;
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut answer = httparse::Response::new(&mut headers);
        let parsed = answer.parse(&buffer[..filled]).map_err(io::Error::other)?;
        let httparse::Status::Complete(head) = parsed else {
            continue;
        };
        let length = answer
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let length = std::str::from_utf8(length.expect("a content-length").value);
        let length: usize = length.expect("ascii").parse().expect("a length");
        if filled >= head + length {
            return Ok(match answer.code {
                Some(200) => None,
                other => Some(error(other, &buffer[head..filled])),
            });
        }
    }
}

/// The status, and the code of the body.
fn error(status: Option<u16>, body: &[u8]) -> String {
    let status = status.unwrap_or_default();
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let code = body["error"]["code"].as_str();
    format!("{status} {}", code.unwrap_or("without a code"))
}
