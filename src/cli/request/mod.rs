//! `charter request`: sends a signed request.
//!
//! `prepare` signs, `send` sends, `report` shows the response.

mod console;
mod curl;
mod error;
pub(super) mod prepare;
mod report;
pub(super) mod send;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::Read;
use std::process::ExitCode;

use secrecy::{ExposeSecret, SecretString};

use charter_domain::clock::Clock;
use charter_domain::entropy::Entropy;
pub use console::Console;
pub use error::RequestError;
use prepare::{Credentials, Wanted};

/// Send one signed request and show the answer.
///
/// Credentials come from `CHARTER_ACCESS_KEY` and `CHARTER_SECRET_KEY`, the server from
/// `CHARTER_BASE_URL`. Exit code 0 means success, 1 that the server refused, 2 that there was no
/// answer or it could not be written.
// Otherwise the usage below an error shows options that the environment sets as if they were required.
#[derive(Debug, clap::Args)]
#[command(override_usage = "charter request [OPTIONS] <METHOD> <PATH>")]
pub struct RequestArgs {
    /// The method, such as GET or PATCH
    method: String,
    /// Path and query, signed and sent exactly as written: /service-accounts?page=1
    #[arg(value_name = "PATH")]
    target: String,
    /// The body; @FILE reads a file, @- standard input, byte for byte
    #[arg(short, long, value_name = "BODY", allow_hyphen_values = true)]
    data: Option<String>,
    /// A further header; may be given more than once
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Print a freshly signed curl line, good once and for five minutes, instead of sending
    #[arg(long, conflicts_with = "include")]
    curl: bool,
    /// Show the status line and the headers of the answer too
    #[arg(short, long)]
    include: bool,
    /// Where the server is
    #[arg(
        long,
        env = "CHARTER_BASE_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080"
    )]
    base_url: String,
    /// The access key to sign with
    #[arg(long, env = "CHARTER_ACCESS_KEY", value_name = "KEY")]
    access_key: Option<String>,
    // Hidden, because what stands in arguments can be read by every user of the machine.
    #[arg(long, env = "CHARTER_SECRET_KEY", hide = true, hide_env_values = true)]
    secret_key: Option<SecretString>,
}

/// Sends the request and shows the response, or prints a curl command.
///
/// # Errors
///
/// [`RequestError`] if there is no response. An error response has exit code 1.
pub fn run(
    args: &RequestArgs,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    console: &mut Console<'_>,
) -> Result<ExitCode, RequestError> {
    let wanted = Wanted {
        base_url: &args.base_url,
        method: &args.method,
        target: &args.target,
        headers: &args.headers,
        body: read_body(args.data.as_deref(), console.input)?,
        body_file: args.data.as_deref().and_then(file_of),
    };
    let credentials = Credentials {
        access_key: present("CHARTER_ACCESS_KEY", args.access_key.as_deref())?,
        secret_key: secret(args.secret_key.as_ref().map(ExposeSecret::expose_secret))?,
    };
    let prepared = prepare::prepare(wanted, credentials, clock, entropy)?;
    if args.curl {
        writeln!(console.out, "{}", curl::line(&prepared)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let answer = send::send(prepared)?;
    let shown = report::show(&answer, args.include, console);
    shown.map_err(|error| RequestError::Unprinted(answer.status, error))?;
    Ok(ExitCode::from(u8::from(!answer.is_success())))
}

pub(super) fn present<'a>(
    name: &'static str,
    value: Option<&'a str>,
) -> Result<&'a str, RequestError> {
    value
        .filter(|value| !value.is_empty())
        .ok_or(RequestError::MissingCredential(name))
}

/// Refuses what no secret has, such as the line break at the end of a file.
pub(super) fn secret(value: Option<&str>) -> Result<&str, RequestError> {
    let name = "CHARTER_SECRET_KEY";
    let secret = present(name, value)?;
    if is_secret(secret) {
        Ok(secret)
    } else {
        Err(RequestError::MalformedSecret(name))
    }
}

/// Visible ASCII characters, as the other clients require.
pub(super) fn is_secret(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The file that `-d` names.
fn file_of(data: &str) -> Option<&str> {
    data.strip_prefix('@').filter(|file| *file != "-")
}

fn read_body(data: Option<&str>, input: &mut dyn Read) -> Result<Option<Vec<u8>>, RequestError> {
    let unreadable = |error| RequestError::Body(data.unwrap_or_default().to_owned(), error);
    match data.map(|data| (data, data.strip_prefix('@'))) {
        None => Ok(None),
        Some((text, None)) => Ok(Some(text.as_bytes().to_vec())),
        Some((_, Some("-"))) => {
            let mut body = Vec::new();
            input.read_to_end(&mut body).map_err(unreadable)?;
            Ok(Some(body))
        }
        Some((_, Some(file))) => fs::read(file).map(Some).map_err(unreadable),
    }
}
