//! The running requests of one listener, its unread responses, and whether it is draining.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::Gauge;
use salvo::conn::ConnCtrl;
use salvo::http::{Method, ResBody, Version};
use salvo::hyper::body::Bytes;
use salvo::{Request, Response};
use tokio::time::Instant;

use crate::edge::counted::Counted;
use crate::edge::memory_budget::{MemoryBudget, Share};
use crate::respond::ApiError;

/// Smaller responses of HTTP/1.1 are not counted: a connection has one at a time, and the time of a write is
/// limited.
const SMALL_ANSWER: usize = 16 * 1024;

/// A client that reads fewer bytes a second counts as not reading.
const SLOWEST_READER: usize = 4 * 1024;

pub(super) struct Traffic {
    in_flight: AtomicUsize,
    in_flight_gauge: OnceLock<Gauge>,
    is_draining: AtomicBool,
    answers: MemoryBudget<ConnCtrl>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerLimits<'a> {
    /// Time without progress.
    pub(super) stall: Duration,
    pub(super) request_id: &'a str,
}

pub(super) struct InFlight<'a> {
    traffic: &'a Traffic,
    _gauge: Counted,
}

/// A part of a response; its share lives until all of the response is on the wire.
struct HeldPiece {
    bytes: Bytes,
    _share: Arc<Share<ConnCtrl>>,
}

impl AsRef<[u8]> for HeldPiece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Traffic {
    pub(super) fn new(answer_memory: usize) -> Self {
        Self {
            in_flight: AtomicUsize::new(0),
            in_flight_gauge: OnceLock::new(),
            is_draining: AtomicBool::new(false),
            answers: MemoryBudget::new(answer_memory),
        }
    }

    /// Counts a request until it is dropped.
    pub(super) fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight {
            traffic: self,
            _gauge: Counted::new(
                self.in_flight_gauge
                    .get_or_init(|| metrics::gauge!("charter_http_requests_in_flight")),
            ),
        }
    }

    /// From here on every response closes its connection.
    pub(super) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Whether no request is running and no response is unread.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0 && self.answers.is_unused()
    }

    /// Closes connections whose clients do not read.
    pub(super) fn end_stalled(&self) {
        let ended = self.answers.end_overdue(Instant::now());
        if ended > 0 {
            tracing::debug!(ended, "closing connections whose answers are not read");
        }
    }

    /// Counts a response until it is on the wire, and limits the time until then. Bytes shared with other
    /// responses take no memory of their own. If memory is short, reads are refused; responses to completed writes
    /// are still sent.
    pub(super) fn hold(
        &self,
        request: &Request,
        response: &mut Response,
        connection: &ConnCtrl,
        limits: AnswerLimits<'_>,
    ) {
        // Salvo writes JSON in pieces of some kilobytes.
        let pieces = match &mut response.body {
            ResBody::Once(bytes) => std::slice::from_mut(bytes),
            ResBody::Chunks(chunks) => chunks.make_contiguous(),
            _ => return,
        };
        let length: usize = pieces.iter().map(Bytes::len).sum();
        let is_small = request.version() != Version::HTTP_2 && length <= SMALL_ANSWER;
        if is_small || *request.method() == Method::HEAD {
            return;
        }
        let unshared = pieces.iter().filter(|piece| piece.is_unique());
        let own = unshared.map(Bytes::len).sum();
        let seconds = u64::try_from(length / SLOWEST_READER).unwrap_or(u64::MAX);
        let now = Instant::now();
        let until = now + limits.stall + Duration::from_secs(seconds);
        let share = self.answers.open(connection.clone(), now, Some(until));
        if !share.grow(own, now) && *request.method() == Method::GET {
            metrics::counter!("charter_http_overloaded_total", "memory" => "answers").increment(1);
            *response = Response::new();
            ApiError::unavailable("unread answers take all the memory they may", 1)
                .render(limits.request_id, response);
            return;
        }
        let share = Arc::new(share);
        for piece in pieces {
            *piece = Bytes::from_owner(HeldPiece {
                bytes: std::mem::take(piece),
                _share: Arc::clone(&share),
            });
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.traffic.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
