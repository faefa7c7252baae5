//! `charter policy explain`: why a request is allowed or denied.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use miette::NamedSource;

use super::super::Error;
use crate::authz::fault::LoadError;
use crate::authz::snapshot::Snapshot;
use crate::policy::explain::explain;
use crate::policy::written_request;

/// Say why a request is allowed or denied: which policies decided, or came nearest, and by what
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A request with its entities, as in an example of `charter policy test`
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// The policy folder that is asked
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    /// Print the explanation as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the explanation.
///
/// # Errors
///
/// The folder or the request has a fault.
pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let faulty = |error: LoadError| Error::Policies(error.report());
    let snapshot = Snapshot::load(&args.policies).map_err(faulty)?;
    let text = fs::read_to_string(&args.request).map_err(|error| {
        let rule = format!("cannot be read from `{}`: {error}", args.request.display());
        Error::argument("--request", rule)
    })?;
    let name = args.request.display().to_string();
    let source = Arc::new(NamedSource::new(name, Arc::from(text)));
    let (request, entities) = written_request::read(&source, snapshot.schema()).map_err(faulty)?;
    let explanation = explain(&snapshot, &request, &entities);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &explanation).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        write!(out, "{explanation}")?;
    }
    Ok(ExitCode::SUCCESS)
}
