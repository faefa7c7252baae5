//! `charter serve`: runs the service until it is told to stop.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::serve::Server;
use crate::app::{App, demo};
use crate::authz::engine::STACK_BYTES;
use crate::domain::clock::SystemClock;
use crate::domain::entropy::OsEntropy;
use crate::settings::{LogFormat, Settings};
use crate::telemetry;
use crate::telemetry::log::Format;

use super::Error;

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

/// Runs until SIGTERM or SIGINT, then stops gracefully.
///
/// # Errors
///
/// What kept the service from starting.
pub fn run(args: &ServeArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()?;
    // Before anything slow: a signal without a handler ends the process.
    let mut signals = {
        let _within = runtime.enter();
        Signals::listen()?
    };
    let settings = Settings::load(args.config.as_deref(), args.demo)?;
    let _log = telemetry::log::start(log_format(settings.log.format), &settings.log.level)?;
    let metrics = telemetry::metrics::Recorder::install()?;
    runtime.block_on(async {
        let starting = start(args, &settings, metrics);
        let (server, app) = tokio::select! {
            biased;
            started = starting => started?,
            () = signals.asked_to_stop() => {
                tracing::info!("stopped before the start was complete");
                return Ok(ExitCode::SUCCESS);
            }
        };
        let stop = CancellationToken::new();
        let serving = server.start(app, &settings, &stop);
        let (main, operations) = (serving.main_address(), serving.operations_address());
        writeln!(
            out,
            "charter listens on http://{main}, for operators on http://{operations}"
        )?;
        if args.demo {
            writeln!(out, "{}", demo::what_to_try(&settings.data_dir))?;
        }
        out.flush()?;
        signals.asked_to_stop().await;
        tracing::info!("stopping: requests under way may finish");
        stop.cancel();
        serving.stopped().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Everything up to the first answer.
async fn start(
    args: &ServeArgs,
    settings: &Settings,
    metrics: telemetry::metrics::Recorder,
) -> Result<(Server, App), Error> {
    let server = Server::bind(settings).await?;
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
        demo::prepare(&app, &OsEntropy, &settings.data_dir, &server.base_url()).await?;
    }
    Ok((server, app))
}

/// This very program, also after its file was replaced by another version.
fn this_program() -> std::io::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() {
        Ok(running)
    } else {
        std::env::current_exe()
    }
}

fn log_format(format: LogFormat) -> Format {
    match format {
        LogFormat::Human => Format::Human,
        LogFormat::Json => Format::Json,
        LogFormat::Auto => Format::fitting_stderr(),
    }
}

/// The signals that a service may get. Each that is listened to no longer ends the process by
/// itself.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// What is sent to have policies or logs reopened. The reloader listens to SIGHUP on its own.
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

    async fn asked_to_stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
