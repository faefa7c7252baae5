//! The solver's program file: where it is, and its digest.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Looks a program's bare name up on a search path; `None` if it is not found or is no bare name.
#[must_use]
pub fn on_path(program: &Path, search_path: &OsStr) -> Option<PathBuf> {
    let can_be_run = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    is_bare(program)
        .then(|| std::env::split_paths(search_path).map(|dir| dir.join(program)))?
        .find(can_be_run)
}

/// A name without a path.
fn is_bare(program: &Path) -> bool {
    program.components().count() == 1 && program.file_name() == Some(program.as_os_str())
}

/// SHA-256 of the program file in lowercase hex; `None` if its path is unknown or it cannot be
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
                "cannot read the solver's program; its proofs are not cached"
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
