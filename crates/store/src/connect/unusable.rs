//! Why SQLite cannot open its files, which its own codes hardly tell.

use std::path::Path;

use super::place::beside;
use crate::Error;
use charter_system::private::{check_dir, check_file, owner_in_words, try_write};

/// All that SQLite and this program keep for a database.
const FILES: [&str; 4] = ["", "-wal", "-shm", "-server"];

/// The error, or what is found to be its cause: a file of another user, a directory or disk that cannot be written.
pub(super) fn explain(database: &Path, directory: &Path, error: Error) -> Error {
    if !matches!(error, Error::Unavailable(_) | Error::Setup(_)) {
        return error;
    }
    let mut files = FILES.iter().map(|suffix| beside(database, suffix));
    let refused = files.find_map(|file| check_file(&file).err().map(|error| (file, error)));
    let refused = refused.or_else(|| Some((directory.to_owned(), check_dir(directory).err()?)));
    if let Some((path, error)) = refused {
        let owner = owner_in_words(&path, &error);
        return Error::Unusable(format!("`{}`: {error}{owner}", path.display()));
    }
    match try_write(directory) {
        Err(error) => Error::Unusable(format!(
            "cannot write in `{}`: {error}; see that its disk is well and has room",
            directory.display()
        )),
        Ok(()) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_are_not_the_files_fault_stay_as_they_are() {
        let place = tempfile::tempdir().expect("a directory");
        let database = place.path().join("charter.db");
        let locked = || Error::Unavailable("locked".into());
        assert!(matches!(
            explain(&database, place.path(), locked()),
            Error::Unavailable(_)
        ));
        let gone = place.path().join("file");
        std::fs::write(&gone, "").expect("a file");
        let explained = explain(&gone.join("charter.db"), &gone, locked());
        assert!(
            matches!(&explained, Error::Unusable(why) if why.contains('`')),
            "{explained:?}"
        );
        assert!(matches!(
            explain(&gone, place.path(), Error::Stale),
            Error::Stale
        ));
    }
}
