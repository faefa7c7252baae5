//! The solver's program as a file: where it is, and which it is.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The file that a program's bare name stands for on a search path; `None` if there is none, or if
/// it is no bare name.
#[must_use]
pub fn on_path(program: &Path, search_path: &OsStr) -> Option<PathBuf> {
    let can_be_run = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    is_bare(program)
        .then(|| std::env::split_paths(search_path).map(|dir| dir.join(program)))?
        .find(can_be_run)
}

/// Without a place: where it is found is the system's business.
fn is_bare(program: &Path) -> bool {
    program.components().count() == 1 && program.file_name() == Some(program.as_os_str())
}

/// SHA-256 of a program's file, in lowercase hex; `None` if its place is not known or it cannot be
/// read.
pub(super) fn digest(program: &Path) -> Option<String> {
    if is_bare(program) {
        return None;
    }
    of_file(program)
        .inspect_err(|error| {
            tracing::warn!(
                program = %program.display(),
                error = error as &dyn std::error::Error,
                "the solver's program cannot be read, kept proofs are held against its version only"
            );
        })
        .ok()
}

fn of_file(program: &Path) -> io::Result<String> {
    let mut file = File::open(program)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(buffer.get(..length).unwrap_or_default());
    }
}
