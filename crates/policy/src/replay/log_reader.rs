//! Reads a log in chunks that several threads share.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;

use charter_decision_log::DefinitionReader;
use charter_domain::progress::Progress;

/// Bytes per read.
const CHUNK: usize = 1024 * 1024;

/// Whole lines of one file.
pub(crate) struct Chunk {
    pub(crate) file: String,
    /// Number of its first line, from 1.
    pub(crate) first_line: usize,
    pub(crate) text: Vec<u8>,
    /// The file's definitions, at least up to these lines.
    pub(crate) definitions: Arc<RwLock<DefinitionReader>>,
}

/// Reads the remaining files.
pub(crate) struct LogReader {
    files: VecDeque<PathBuf>,
    open: Option<OpenFile>,
    /// In bytes.
    progress: Progress,
}

struct OpenFile {
    name: String,
    file: File,
    next_line: usize,
    /// The incomplete last line.
    rest: Vec<u8>,
    definitions: Arc<RwLock<DefinitionReader>>,
}

impl OpenFile {
    /// Registers the definitions before another thread may need them.
    fn define(&self, text: &[u8]) {
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        for line in lines.filter(|line| DefinitionReader::is_definition(line)) {
            // Errors are reported when the line itself is read.
            let _ = self.definitions.write().define(line);
        }
    }
}

impl LogReader {
    /// Opens a file, or all `*.jsonl` files of a directory in order of name.
    pub(crate) fn open(log: &Path, progress: &Progress) -> io::Result<Self> {
        let mut files = Vec::new();
        if log.is_dir() {
            for entry in std::fs::read_dir(log)? {
                let path = entry?.path();
                if path.extension().is_some_and(|it| it == "jsonl") {
                    files.push(path);
                }
            }
            if files.is_empty() {
                let message = "it holds no decision log, whose files are `*.jsonl`";
                return Err(io::Error::new(io::ErrorKind::NotFound, message));
            }
            files.sort_unstable();
        } else {
            File::open(log)?;
            files.push(log.to_owned());
        }
        for file in &files {
            progress.expect(std::fs::metadata(file)?.len());
        }
        Ok(Self {
            files: files.into(),
            open: None,
            progress: progress.clone(),
        })
    }

    /// The next lines; the last line of a file may lack its line feed.
    pub(crate) fn next(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(path) = self.files.pop_front() else {
                    return Ok(None);
                };
                self.open = Some(OpenFile {
                    name: path.display().to_string(),
                    file: File::open(&path)?,
                    next_line: 1,
                    rest: Vec::new(),
                    definitions: Arc::default(),
                });
                continue;
            };
            let mut text = std::mem::take(&mut open.rest);
            let before = text.len();
            let read = (&open.file).take(CHUNK as u64).read_to_end(&mut text)?;
            self.progress.advance(read as u64);
            if read == 0 {
                open.define(&text);
                let chunk = Chunk {
                    file: open.name.clone(),
                    first_line: open.next_line,
                    text,
                    definitions: Arc::clone(&open.definitions),
                };
                self.open = None;
                if chunk.text.is_empty() {
                    continue;
                }
                return Ok(Some(chunk));
            }
            let Some(feed) = text
                .get(before..)
                .and_then(|new| memchr::memrchr(b'\n', new))
            else {
                open.rest = text;
                continue;
            };
            open.rest = text.split_off(before + feed + 1);
            let first_line = open.next_line;
            open.next_line += memchr::memchr_iter(b'\n', &text).count();
            open.define(&text);
            return Ok(Some(Chunk {
                file: open.name.clone(),
                first_line,
                text,
                definitions: Arc::clone(&open.definitions),
            }));
        }
    }
}
