//! Output of commands: text, or one JSON document with `--json`.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct OutputArgs {
    /// Print one JSON document
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl OutputArgs {
    /// Prints a JSON document with `--json`, else text.
    pub(super) fn either(
        self,
        out: &mut dyn Write,
        document: impl FnOnce() -> Value,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.json {
            document_to(out, &document())
        } else {
            text(out)
        }
    }

    /// Prints a JSON array with `--json`, else one JSON object a line.
    pub(super) fn list(self, out: &mut dyn Write, items: &[Value]) -> io::Result<()> {
        if self.json {
            return document_to(out, items);
        }
        items.iter().try_for_each(|item| writeln!(out, "{item}"))
    }

    /// Prints one object, pretty-printed with `--json`, else on a line.
    pub(super) fn one(self, out: &mut dyn Write, item: &Value) -> io::Result<()> {
        if self.json {
            document_to(out, item)
        } else {
            writeln!(out, "{item}")
        }
    }
}

pub(super) fn document_to(
    out: &mut dyn Write,
    document: &(impl Serialize + ?Sized),
) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}
