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
    let settings = Settings::load(args.config.as_deref(), args.demo)?;
    let _log = telemetry::log::start(log_format(settings.log.format), &settings.log.level)?;
    let metrics = telemetry::metrics::Recorder::install()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let entropy = Arc::new(OsEntropy);
        let clock = Arc::new(SystemClock::start());
        let server = Server::bind(&settings).await?;
        let app = App::build(
            &settings,
            &server.base_url(),
            &this_program()?,
            clock,
            entropy,
            metrics,
        )
        .await?;
        if args.demo {
            demo::prepare(&app, &OsEntropy, &settings.data_dir, &server.base_url()).await?;
        }
        // Before anybody is told that it runs: whoever knows may stop it, and it stops gracefully.
        let mut signals = Signals::listen()?;
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
        signals.wait().await;
        tracing::info!("stopping: requests under way may finish");
        stop.cancel();
        serving.stopped().await;
        Ok(ExitCode::SUCCESS)
    })
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

/// What asks the service to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
