//! Formats a signed request as a curl command for a POSIX shell.

use std::fmt::Write;

use super::RequestError;
use super::prepare::Prepared;
use crate::cli::shell_word::quote;

/// The command sends exactly the signed request.
///
/// # Errors
///
/// [`RequestError::UnprintableBody`] if no argument can contain the body, and no file does.
pub(super) fn line(prepared: &Prepared) -> Result<String, RequestError> {
    // Otherwise curl resolves dot segments and expands `[]` and `{}`.
    let mut line = String::from("curl --path-as-is --globoff --silent --show-error");
    // With `-X HEAD` curl would wait for a body.
    match prepared.method.as_str() {
        "HEAD" => line.push_str(" --head"),
        method => append(&mut line, "--request", method),
    }
    for (name, value) in &prepared.headers {
        match value.to_str().unwrap_or_default() {
            // curl takes `name:` as a request to omit the header.
            "" => append(&mut line, "--header", &format!("{name};")),
            value => append(&mut line, "--header", &format!("{name}: {value}")),
        }
    }
    if let Some(body) = &prepared.body {
        let text = std::str::from_utf8(body).ok();
        match (
            text.filter(|text| !text.contains('\0')),
            &prepared.body_file,
        ) {
            // Unlike `--data`, it does not interpret a leading `@`.
            (Some(text), _) => append(&mut line, "--data-raw", text),
            (None, Some(file)) => append(&mut line, "--data-binary", &format!("@{file}")),
            (None, None) => return Err(RequestError::UnprintableBody),
        }
    }
    append(&mut line, "--url", &prepared.uri.to_string());
    Ok(line)
}

fn append(line: &mut String, option: &str, value: &str) {
    // Writing to a `String` does not fail.
    let _ = write!(line, " {option} {}", quote(value));
}
