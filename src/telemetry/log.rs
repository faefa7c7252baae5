//! Log lines on standard error, for people or as JSON, one event on one line.
//!
//! Values may contain client input, so control characters are escaped: they would reach the terminal or split a
//! line (RUSTSEC-2025-0055).

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tracing::{Metadata, Subscriber};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use super::dropped_lines;
use super::traces::Traces;
use charter_domain::printable::escaped;

/// The target of exported spans: requests only.
const SPANS: &str = "charter::trace";

/// Limit of lines that wait to be written.
const WAITING_LINES: usize = 16 * 1024;

/// Time for the last lines when the process ends.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The format of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Readable text.
    Human,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// Readable text if standard error is a terminal, else JSON.
    #[must_use]
    pub fn fitting_stderr() -> Self {
        if io::stderr().is_terminal() {
            Self::Human
        } else {
            Self::Json
        }
    }
}

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a level nor `target=level` pairs.
    #[error(
        "`log.level`: `{directives}` cannot be read: {reason}; give a level such as `info`, or \
         directives such as `warn,charter=debug`"
    )]
    Directives {
        directives: String,
        /// The parser's message.
        reason: String,
    },
    /// Another subscriber is installed already.
    #[error("logging was started twice")]
    StartedTwice,
}

/// Starts logging to standard error, including panics, and exporting request spans to `traces`.
pub fn start(format: Format, directives: &str, traces: Option<&Traces>) -> Result<Started, Error> {
    // A separate thread writes lines in batches. Callers never wait for it: lines that do not fit are dropped and
    // counted.
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(io::BufWriter::new(io::stderr()));
    dropped_lines::count(writer.error_counter());
    let started = match traces {
        None => subscriber(format, directives, writer)?.try_init(),
        Some(traces) => with_traces(format, directives, writer, traces)?.try_init(),
    };
    started.map_err(|_| Error::StartedTwice)?;
    std::panic::set_hook(Box::new(|panic| {
        ::metrics::counter!("charter_panics_total").increment(1);
        let location = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("(no text)");
        tracing::error!(location, message, "a thread panicked");
    }));
    Ok(Started { guard: Some(guard) })
}

/// Dropping it stops logging and writes the remaining lines, as far as they are read.
#[must_use]
pub struct Started {
    guard: Option<WorkerGuard>,
}

impl Drop for Started {
    fn drop(&mut self) {
        let Some(guard) = self.guard.take() else {
            return;
        };
        // On a separate thread, because writing blocks if nobody reads.
        let (done, ended) = mpsc::sync_channel(1);
        let last_lines = thread::Builder::new()
            .name("log-end".to_owned())
            .spawn(move || {
                drop(guard);
                let _ = done.send(());
            });
        if last_lines.is_ok() {
            let _ = ended.recv_timeout(LAST_LINES);
        }
    }
}

/// A subscriber that writes its lines to `writer`.
pub fn subscriber<W>(
    format: Format,
    directives: &str,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let registry = tracing_subscriber::registry().with(filter(directives)?);
    Ok(Box::new(registry.with(lines(format, writer))))
}

/// Like [`subscriber`], and exports the spans of [`SPANS`] whatever the log level.
fn with_traces<W>(
    format: Format,
    directives: &str,
    writer: W,
    traces: &Traces,
) -> Result<Box<dyn Subscriber + Send + Sync>, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let is_span_of_request = |metadata: &Metadata<'_>| metadata.target() == SPANS;
    let logged = filter(directives)?.and(filter_fn(move |metadata| !is_span_of_request(metadata)));
    let spans = tracing_opentelemetry::layer()
        .with_tracer(traces.tracer())
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false);
    let registry = tracing_subscriber::registry()
        .with(lines(format, writer).with_filter(logged))
        .with(spans.with_filter(filter_fn(is_span_of_request)));
    Ok(Box::new(registry))
}

fn filter(directives: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder()
        .parse(directives)
        .map_err(|error| Error::Directives {
            directives: directives.to_owned(),
            reason: error.to_string(),
        })
}

fn lines<S, W>(format: Format, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(OneLine(writer));
    match format {
        Format::Human => lines.boxed(),
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed(),
    }
}

/// Escapes control characters, except the final newline.
struct OneLine<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for OneLine<W> {
    type Writer = OneLineWriter<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLineWriter(self.0.make_writer())
    }
}

struct OneLineWriter<W>(W);

impl<W: Write> Write for OneLineWriter<W> {
    /// The formatting layer writes a whole event at once; its only newline is the final one.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        // One write an event: the writer behind counts them as lines.
        match escaped(line, &[]) {
            Cow::Borrowed(_) => self.0.write_all(text.as_bytes())?,
            Cow::Owned(mut line) => {
                line.push('\n');
                self.0.write_all(line.as_bytes())?;
            }
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use secrecy::{SecretBox, SecretString};

    use super::*;
    use charter_domain::text::is_forbidden;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(format: Format, directives: &str, log: impl FnOnce()) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber =
            subscriber(format, directives, move || writer.clone()).expect("good directives");
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(captured.0.lock().clone()).expect("text")
    }

    const HOSTILE: &str = "a\n2026-01-01 INFO forged\r\u{1b}[2J\u{9b}31m\u{202e}\0\u{7f}\u{2028}é";

    #[test]
    fn an_event_is_one_line_whatever_a_client_sent() {
        for format in [Format::Human, Format::Json] {
            let written = lines(format, "info", || {
                let span = tracing::info_span!("request", target = HOSTILE).entered();
                tracing::info!(value = HOSTILE, debug = ?HOSTILE, display = %HOSTILE, "{HOSTILE}");
                drop(span);
            });
            assert_eq!(written.matches('\n').count(), 1, "{written:?}");
            let body = written.trim_end_matches('\n');
            assert!(!body.chars().any(is_forbidden), "{written:?}");
            assert!(body.contains('é'), "printable characters are kept");
            if format == Format::Json {
                let event: serde_json::Value = serde_json::from_str(body).expect("still JSON");
                assert_eq!(event["value"], HOSTILE);
            }
        }
    }

    #[test]
    fn a_secret_is_not_printed_however_it_is_logged() {
        for format in [Format::Human, Format::Json] {
            let written = lines(format, "trace", || {
                let text = SecretString::from("hunter2".to_owned());
                let bytes = SecretBox::new(Box::new([0xAB_u8; 32]));
                let settings = crate::settings::Settings::from_sources(
                    "[database]\nurl = 'postgres://u:hunter2@h/d'",
                    [],
                );
                tracing::trace!(?text, ?bytes, ?settings, "{text:?} {bytes:#?}");
            });
            assert!(written.contains("REDACTED"), "{written}");
            for secret in ["hunter2", "171, 171", "0xab", "abab"] {
                assert!(!written.contains(secret), "`{secret}` in {written}");
            }
        }
    }

    #[test]
    fn directives_choose_what_is_logged_and_bad_ones_are_refused() {
        let log = || {
            tracing::info!(target: "charter_store", "told");
            tracing::info!(target: "sqlx", "untold");
        };
        let written = lines(Format::Human, "warn,charter=info", log);
        assert!(written.contains("told") && !written.contains("untold"));
        let refused = subscriber(Format::Human, "charter=loud", io::sink)
            .err()
            .expect("refused");
        assert!(
            refused
                .to_string()
                .starts_with("`log.level`: `charter=loud`"),
            "{refused}"
        );
    }
}
