//! Hashes the prover's sources, so that cached proofs of another prover are not reused.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Everything that a proof depends on besides the policies: this crate, what loads policies, and
/// the versions of Cedar and its symbolic compiler.
const SOURCES: [&str; 3] = ["src", "../authz/src", "../../Cargo.lock"];

fn files(path: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        files(&entry?.path(), found)?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let mut hash = DefaultHasher::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        let mut found = Vec::new();
        files(Path::new(source), &mut found)?;
        found.sort();
        for path in found {
            path.hash(&mut hash);
            fs::read(&path)?.hash(&mut hash);
        }
    }
    println!("cargo::rustc-env=PROVER_REVISION={:016x}", hash.finish());
    Ok(())
}
