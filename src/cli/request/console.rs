//! Where a command reads and writes.

use std::io::{Read, Write};

/// Where a command reads and writes, so that tests can look.
pub struct Console<'a> {
    /// For the answer.
    pub out: &'a mut dyn Write,
    /// For what went wrong.
    pub err: &'a mut dyn Write,
    /// Whether a person reads `out`.
    pub out_is_terminal: bool,
    /// For a body from standard input.
    pub input: &'a mut dyn Read,
}
