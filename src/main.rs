//! The front door: runs the command that the arguments name.

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match charter::cli::run() {
        Ok(code) => code,
        Err(error) => {
            // Nowhere is left to report that this could not be written.
            let _ = writeln!(io::stderr(), "charter: {error}");
            ExitCode::from(2)
        }
    }
}
