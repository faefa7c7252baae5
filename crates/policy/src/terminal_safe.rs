//! Output that cannot control the terminal: a policy's text must not move the cursor, change
//! colours or hide text.

use std::io::{self, Write};

use charter_domain::printable::for_terminal;

/// Escapes control characters of what is written.
pub struct TerminalSafeWriter<'a> {
    out: &'a mut dyn Write,
    /// The beginning of an incomplete UTF-8 sequence.
    begun: Vec<u8>,
}

impl<'a> TerminalSafeWriter<'a> {
    /// Wraps another writer.
    pub fn new(out: &'a mut dyn Write) -> Self {
        let begun = Vec::new();
        Self { out, begun }
    }
}

impl Write for TerminalSafeWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        let whole = match str::from_utf8(&self.begun) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Ok(_) | Err(_) => self.begun.len(),
        };
        let rest = self.begun.split_off(whole);
        let text = std::mem::replace(&mut self.begun, rest);
        let text = String::from_utf8_lossy(&text);
        self.out.write_all(for_terminal(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        let mut seen = Vec::new();
        let mut plain = TerminalSafeWriter::new(&mut seen);
        for byte in "é \u{1b}[2J\u{9b}1m\u{202e}\u{7}\ttab\r\n".bytes() {
            plain.write_all(&[byte]).expect("memory");
        }
        let seen = String::from_utf8(seen).expect("text");
        assert_eq!(seen, "é \\u001b[2J\\u009b1m\\u202e\\u0007\ttab\\u000d\n");
    }
}
