//! A client's connection with the scanner on its read side.
//!
//! It also applies the time limit of a head, replaces the library's bare error responses, and lingers at the end so
//! that a reset does not lose the last response.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use memchr::memmem;
use salvo::hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::head_timeout::HeadTimeout;
use super::http2_paths::Http2Paths;
use super::scanner::Scanner;
use crate::edge::config::FixedLimits;
use crate::edge::connections::OpenConnection;
use crate::edge::request_id::RequestIds;
use crate::respond::{ApiError, Code};

/// Limit of bytes that are read and discarded after a refused request: some clients read no response before they
/// have sent everything.
const LINGER_BYTES: usize = 2 * 1024 * 1024;

/// Sent after bytes that the library refuses, since it checks heads and trailers only at their end.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

pub struct WireStream<S> {
    inner: S,
    scanner: Scanner,
    request_ids: Arc<RequestIds>,
    head_timeout: HeadTimeout,
    linger: Duration,
    linger_deadline: Option<Pin<Box<Sleep>>>,
    linger_bytes: usize,
    /// Followed since the preface of HTTP/2.
    paths: Option<Box<Http2Paths>>,
    /// Bytes for the library to read before others: [`END_OF_HEAD`], or frames of HTTP/2.
    ready: Bytes,
    /// Written by the library, but not yet on the wire.
    outgoing: Bytes,
    open: Option<OpenConnection>,
}

impl<S> WireStream<S> {
    pub(in crate::edge) fn new(
        inner: S,
        open: OpenConnection,
        limits: FixedLimits,
        request_ids: Arc<RequestIds>,
    ) -> Self {
        let open = Some(open);
        Self {
            open,
            ..Self::of_another_server(inner, limits, request_ids)
        }
    }

    /// For another server of HTTP/1.1 than this crate's, with the same checks. All its responses have
    /// `x-request-id`: a bare error without is replaced.
    pub fn of_another_server(inner: S, limits: FixedLimits, request_ids: Arc<RequestIds>) -> Self {
        Self {
            inner,
            scanner: Scanner::new(),
            request_ids,
            head_timeout: HeadTimeout::start(limits.head_timeout),
            linger: limits.linger,
            linger_deadline: None,
            linger_bytes: LINGER_BYTES,
            paths: None,
            ready: Bytes::new(),
            outgoing: Bytes::new(),
            open: None,
        }
    }

    /// Scans what was read after the first `before` bytes. At bytes that the library refuses, drops the rest and
    /// makes the library refuse them now.
    fn scan(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let new = buffer.filled_mut().get_mut(before..).unwrap_or_default();
        if let Some(paths) = &mut self.paths {
            let is_end = new.is_empty();
            if !is_end && paths.passes(new.len()) {
                return;
            }
            let mut ready = Vec::new();
            paths.follow(new, &mut ready);
            if is_end {
                ready.extend(paths.end());
            }
            self.head_timeout.follow(paths.is_in_head());
            buffer.set_filled(before);
            self.release(ready.into(), buffer);
            return;
        }
        if new.is_empty() {
            return;
        }
        let preface = self.scanner.preface_left();
        let refused = self.scanner.scan(new);
        self.head_timeout.follow(self.scanner.is_in_head());
        if let Some(refused) = refused {
            buffer.set_filled(before + refused);
            self.release(Bytes::from_static(END_OF_HEAD), buffer);
        } else if self.scanner.is_http2()
            && let Some(preface) = preface
        {
            self.paths = Some(Box::default());
            if let Some(open) = &self.open {
                open.is_http2();
            }
            if buffer.filled().len() > before + preface {
                self.scan(buffer, before + preface);
            }
        }
    }

    /// Lets the library read `bytes`, now as far as there is room.
    fn release(&mut self, bytes: Bytes, buffer: &mut ReadBuf<'_>) {
        self.ready = bytes;
        let fitting = self.ready.len().min(buffer.remaining());
        buffer.put_slice(&self.ready.split_to(fitting));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WireStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            if !self.ready.is_empty() {
                let ready = std::mem::take(&mut self.ready);
                self.release(ready, buffer);
                return Poll::Ready(Ok(()));
            }
            let result = Pin::new(&mut self.inner).poll_read(context, buffer);
            if self.head_timeout.is_over(context) {
                tracing::debug!("closing a connection whose request head took too long");
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            let is_end = buffer.filled().len() == before;
            if let Poll::Ready(Ok(())) = result {
                self.scan(buffer, before);
                // Nothing read would be the end: more is needed before the library may see any.
                if !is_end && buffer.filled().len() == before {
                    continue;
                }
            }
            return result;
        }
    }
}

impl<S: AsyncWrite + Unpin> WireStream<S> {
    fn poll_outgoing(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            drop(self.outgoing.split_to(written));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WireStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_outgoing(context))?;
        if let Some(replaced) =
            replace_bare_error(buffer, self.scanner.has_other_coding(), &self.request_ids)
        {
            self.outgoing = replaced.into();
            return Poll::Ready(Ok(buffer.len()));
        }
        Pin::new(&mut self.inner).poll_write(context, buffer)
    }

    /// Sends a head and its body together, without copying the body. The library writes its bare error responses
    /// in one piece.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_outgoing(context))?;
        let mut pieces = buffers.iter().filter(|buffer| !buffer.is_empty());
        match (pieces.next(), pieces.next()) {
            (Some(only), None) => self.poll_write(context, only),
            // It would be mixed up with the rest of an earlier response.
            (Some(head), Some(_))
                if replace_bare_error(head, self.scanner.has_other_coding(), &self.request_ids)
                    .is_some() =>
            {
                Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
            }
            _ => Pin::new(&mut self.inner).poll_write_vectored(context, buffers),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_outgoing(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    /// Closes the sending side. If the client is still sending, reads on for a moment: closing with unread bytes
    /// would reset the connection and lose the response.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_outgoing(context))?;
        if self.linger_deadline.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
            if self.scanner.is_between_requests() {
                return Poll::Ready(Ok(()));
            }
            self.linger_deadline = Some(Box::pin(sleep(self.linger)));
        }
        let mut scratch = [0; 4_096];
        loop {
            if let Some(deadline) = &mut self.linger_deadline
                && deadline.as_mut().poll(context).is_ready()
            {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.inner).poll_read(context, &mut buffer))?;
            let read = buffer.filled().len();
            if read == 0 || read > self.linger_bytes {
                return Poll::Ready(Ok(()));
            }
            self.linger_bytes -= read;
        }
    }
}

/// Replaces the library's response to unparsable requests, a status line without a body. The library writes it in
/// one piece, as the last response of a connection; all our own responses have `x-request-id`.
fn replace_bare_error(
    buffer: &[u8],
    has_other_coding: bool,
    request_ids: &RequestIds,
) -> Option<Vec<u8>> {
    if !buffer.ends_with(b"\r\n\r\n") {
        return None;
    }
    let start = memmem::rfind(buffer, b"HTTP/1.1 4")?;
    let (earlier, bare) = buffer.split_at_checked(start)?;
    let has = |text: &[u8]| memmem::find(bare, text).is_some();
    if has(b"x-request-id") || !has(b"\r\ncontent-length: 0\r\n") {
        return None;
    }
    let refused = |message| ApiError::invalid(Code::InvalidRequest, message);
    let target = |message| ApiError::invalid(Code::NonCanonicalTarget, message);
    let error = match bare.get(9..12)? {
        b"400" if has_other_coding => ApiError::unsupported_transfer_coding(),
        b"400" => refused("the request is not well-formed HTTP/1.1"),
        b"414" => target("the request target is too long"),
        b"431" => refused("the request head is too large"),
        _ => return None,
    };
    let (status, message) = (error.status(), error.message());
    let request_id = request_ids.next();
    let request_id = request_id.as_str();
    tracing::info!(
        request_id,
        message,
        status = status.as_u16(),
        "request refused by the parser"
    );
    metrics::counter!("charter_http_requests_total",
        "method" => "none", "route" => "none", "status" => status.as_str().to_owned())
    .increment(1);
    let body = error.to_json(request_id);
    let head = format!(
        "HTTP/1.1 {status}\r\n\
         content-type: application/json; charset=utf-8\r\n\
         cache-control: no-store\r\n\
         x-content-type-options: nosniff\r\n\
         x-request-id: {request_id}\r\n\
         x-correlation-id: {request_id}\r\n\
         connection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    Some([earlier, head.as_bytes(), &body].concat())
}
