//! The front door: runs the command that the arguments name.

use std::io::{self, Write};
use std::process::ExitCode;

use charter::cli::Error;

/// A request makes some hundred small allocations; see docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match charter::cli::run() {
        Ok(code) => code,
        // The reader closed the pipe: what a shell reports of SIGPIPE, since a verdict may be unread.
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(141),
        Err(error) => {
            // Nowhere is left to report that this could not be written.
            let _ = writeln!(io::stderr(), "charter: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
