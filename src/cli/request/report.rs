//! Shows a response: the body on standard output, an error as text on standard error.

use std::fmt::Write as _;
use std::io;

use charter_domain::printable::for_terminal;
use serde_json::Value;

use super::Console;
use super::send::ServerResponse;

/// Pretty-prints JSON on a terminal, without anything that it would obey; otherwise writes the exact bytes.
pub(super) fn show(
    answer: &ServerResponse,
    include: bool,
    console: &mut Console<'_>,
) -> io::Result<()> {
    if include {
        writeln!(console.out, "{:?} {}", answer.version, answer.status)?;
        for (name, value) in &answer.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            writeln!(console.out, "{name}: {}", for_terminal(&value))?;
        }
        writeln!(console.out)?;
    }
    let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
    // A person reads the error below; a program gets the body.
    if answer.is_success() || include || !console.out_is_terminal {
        match &json {
            // In JSON the escapes stand for the same text.
            Some(json) if console.out_is_terminal => {
                writeln!(console.out, "{}", for_terminal(&format!("{json:#}")))?;
            }
            None if console.out_is_terminal => {
                let text = String::from_utf8_lossy(&answer.body);
                write!(console.out, "{}", for_terminal(&text))?;
            }
            _ => console.out.write_all(&answer.body)?,
        }
        // What follows begins on a line of its own: a prompt, or the error below.
        let is_followed = console.out_is_terminal || !answer.is_success();
        let is_pretty = json.is_some() && console.out_is_terminal;
        let ends = answer.body.last().is_none_or(|last| *last == b'\n');
        if is_followed && !is_pretty && !ends {
            writeln!(console.out)?;
        }
    }
    console.out.flush()?;
    if !answer.is_success() {
        console
            .err
            .write_all(refusal(answer, json.as_ref()).as_bytes())?;
    }
    Ok(())
}

/// The error as text (contract section 2).
fn refusal(answer: &ServerResponse, json: Option<&Value>) -> String {
    let status = answer.status;
    let Some(error) = json
        .and_then(|json| json.get("error"))
        .filter(|it| it.is_object())
    else {
        let location = answer.headers.get("location");
        return match location.and_then(|value| value.to_str().ok()) {
            Some(location) => format!(
                "error: {status}, sent to `{location}`; a signature is for one target, so give \
                 that server as CHARTER_BASE_URL\n"
            ),
            None => format!(
                "error: {status}, and the answer is not one of charter's; see that \
                 CHARTER_BASE_URL names its server\n"
            ),
        };
    };
    let field = |name: &str| printable(error.get(name).and_then(Value::as_str).unwrap_or_default());
    let mut text = format!("error: {} {}", status.as_u16(), field("type"));
    // Writing to a `String` does not fail.
    if field("code") != field("type") {
        let _ = write!(text, " {}", field("code"));
    }
    let _ = write!(text, "\n  {}\n", field("message"));
    for detail in error
        .get("details")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let part =
            |name: &str| printable(detail.get(name).and_then(Value::as_str).unwrap_or_default());
        let _ = writeln!(text, "  {}: {}", part("field"), part("message"));
    }
    for (label, name) in [("request id", "request_id"), ("decision", "decision_id")] {
        if !field(name).is_empty() {
            let _ = writeln!(text, "  {label}: {}", field(name));
        }
    }
    text
}

/// Escapes what a terminal would obey, line breaks included.
fn printable(text: &str) -> String {
    for_terminal(text).replace(['\n', '\t'], " ")
}
