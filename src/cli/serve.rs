//! `charter serve`: runs the service.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::serve::{Server, Serving};
use crate::app::welcome::Welcome;
use crate::app::{App, demo, give_back};
use crate::settings::{LogFormat, Settings, demo_key_file, is_run_by_cargo};
use crate::telemetry;
use crate::telemetry::log::Format;
use crate::telemetry::traces::Traces;
use charter_authz::depth::EVALUATION_STACK_BYTES;
use charter_domain::clock::SystemClock;
use charter_domain::entropy::OsEntropy;
use charter_system::{hardening, memory};

use super::Error;
use super::shell_word::quote;

/// Run the service
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Make a demo organization with keys in the data directory, once; loopback only
    #[arg(long)]
    demo: bool,
    /// A settings file over the built-in defaults; `CHARTER__SECTION__KEY` overrides both
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The exit code that shells report for a program killed by SIGINT.
const CUT_OFF: u8 = 130;

/// Time for threads that still work when the service has stopped.
const LAST_WORK: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or SIGINT, then stops gracefully. A second signal stops at once.
pub fn run(args: &ServeArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(EVALUATION_STACK_BYTES)
        .enable_all()
        .build()?;
    // Install the handlers first: a signal without a handler kills the process.
    let mut signals = {
        let _within = runtime.enter();
        Signals::listen()?
    };
    let settings = Settings::load(args.config.as_deref(), args.demo)?;
    let traces = traces(&settings)?;
    let format = log_format(settings.log.format);
    let _log = telemetry::log::start(format, &settings.log.level, traces.as_ref())?;
    let metrics = telemetry::metrics::Recorder::install()?;
    if let Err(error) = hardening::forbid_core_dumps() {
        tracing::warn!(%error, "cannot disable core dumps, which would contain every key");
    }
    if let Err(error) = memory::forbid_huge_pages() {
        tracing::warn!(%error, "cannot do without huge pages; requests may wait while one is zeroed");
    }
    let ended = runtime.block_on(serve(args, &settings, metrics, &mut signals, out));
    // Blocked threads must not delay the end of the process.
    runtime.shutdown_timeout(LAST_WORK);
    ended
}

async fn serve(
    args: &ServeArgs,
    settings: &Settings,
    metrics: telemetry::metrics::Recorder,
    signals: &mut Signals,
    out: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let (server, app) = tokio::select! {
        biased;
        started = start(args, settings, metrics) => started?,
        () = signals.wait() => {
            tracing::info!("stopped before the start was complete");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let stop = CancellationToken::new();
    let base_url = server.base_url();
    let serving = server.start(app, settings, &stop);
    let addresses = addresses(args, settings, &serving, &base_url);
    // Standard output may be closed or on a full disk.
    if let Err(error) = out
        .write_all(addresses.as_bytes())
        .and_then(|()| out.flush())
    {
        tracing::warn!(%error, "cannot write to standard output; the service continues");
    }
    signals.wait().await;
    tracing::info!("stopping: running requests may finish; a second signal aborts them");
    stop.cancel();
    tokio::select! {
        () = serving.stopped() => Ok(ExitCode::SUCCESS),
        () = signals.wait() => {
            tracing::warn!("second signal: running requests are aborted");
            Ok(ExitCode::from(CUT_OFF))
        }
    }
}

/// Where the service listens; of a demo, the first steps, too.
fn addresses(args: &ServeArgs, settings: &Settings, serving: &Serving, base_url: &str) -> String {
    let (main, operations) = (serving.main_address(), serving.operations_address());
    let mut addresses =
        format!("charter listens on http://{main}, for operators on http://{operations}\n");
    if let Some(access) = serving.access_address() {
        let _ = writeln!(addresses, "access decisions on http://{access}");
    }
    if args.demo {
        let welcome = Welcome {
            data_dir: &settings.data_dir,
            base_url,
            operations,
            ops_token: settings.server.ops_token.as_ref(),
            keys: &demo_key_file(&settings.data_dir),
            program: &called_as(),
            is_terminal: std::io::stdout().is_terminal(),
        };
        let _ = writeln!(addresses, "{}", welcome.first_steps());
    }
    addresses
}

/// Starts everything up to accepting connections.
async fn start(
    args: &ServeArgs,
    settings: &Settings,
    metrics: telemetry::metrics::Recorder,
) -> Result<(Server, App), Error> {
    let server = Server::bind(settings)?;
    let app = App::build(
        settings,
        &server.base_url(),
        &this_program()?,
        Arc::new(SystemClock::start()),
        Arc::new(OsEntropy),
        metrics,
    )
    .await?;
    if args.demo {
        let prepared =
            demo::prepare(&app, &OsEntropy, &settings.data_dir, &server.base_url()).await;
        if prepared.is_err() {
            give_back(&app.replay).await;
            app.store.close().await;
        }
        prepared?;
    }
    Ok((server, app))
}

/// How a user calls this program again in a shell.
fn called_as() -> String {
    if is_run_by_cargo() {
        return "cargo run --release --".to_owned();
    }
    let called = std::env::args_os().next();
    quote(&called.unwrap_or_else(|| "charter".into()).to_string_lossy())
}

/// The running program, even if its file was replaced.
pub(super) fn this_program() -> std::io::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() {
        Ok(running)
    } else {
        std::env::current_exe()
    }
}

pub(super) fn traces(settings: &Settings) -> Result<Option<Traces>, Error> {
    let telemetry = &settings.telemetry;
    let Some(endpoint) = &telemetry.otlp_endpoint else {
        return Ok(None);
    };
    let traces = Traces::start(endpoint, telemetry.sampling_ratio)?;
    Ok(Some(traces))
}

fn log_format(format: LogFormat) -> Format {
    match format {
        LogFormat::Human => Format::Human,
        LogFormat::Json => Format::Json,
        LogFormat::Auto => Format::fitting_stderr(),
    }
}

/// The handled signals. A handled signal no longer kills the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Signals sent to reload policies or logs. The reloader handles SIGHUP itself.
    _without_effect: [Signal; 3],
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _without_effect: [
                signal(SignalKind::hangup())?,
                signal(SignalKind::user_defined1())?,
                signal(SignalKind::user_defined2())?,
            ],
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
