//! Entry point: runs the command given in the arguments.

use std::io::{self, Write};
use std::process::ExitCode;

use charter_domain::printable::for_terminal;

/// A request makes some hundred small allocations; see docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match charter::cli::run() {
        Ok(code) => code,
        // The reader closed the pipe: exit as after SIGPIPE, because the output may not have been read.
        Err(error) if error.is_closed_pipe() => ExitCode::from(141),
        Err(error) => {
            let text = error.to_string();
            // There is nowhere left to report a failure of this write.
            let _ = writeln!(io::stderr(), "charter: {}", for_terminal(&text));
            ExitCode::from(error.exit_code())
        }
    }
}
