//! Standard input and output of a command.

use std::io::{Read, Write};

/// Replaceable in tests.
pub struct Console<'a> {
    /// For the response.
    pub out: &'a mut dyn Write,
    /// For errors.
    pub err: &'a mut dyn Write,
    pub out_is_terminal: bool,
    /// For a request body.
    pub input: &'a mut dyn Read,
}
