//! Files and directories that are private to their owner, whatever the umask.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

const FILE: u32 = 0o600;
const DIRECTORY: u32 = 0o700;
const OTHERS: u32 = 0o077;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;
/// Bytes of a trial: more than what may lie in a file's metadata.
const TRIED: usize = 64 * 1024;
/// The service has no deeper directories.
const MAX_DEPTH: usize = 8;

/// Why a directory cannot hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be created, inspected or written.
    #[error("`{0}` cannot be used: {1}{owner}", owner = owner_in_words(.0, .1))]
    Io(PathBuf, #[source] io::Error),
    /// Others could put files into it.
    #[error(
        "`{path}` can be written by others than its owner (mode {mode:03o}), who could replace what the service trusts; \
         look at what it holds, then `chmod go-w` it, or name another directory"
    )]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// Creates a private directory and missing parents.
///
/// # Errors
///
/// It cannot be created, or is no directory.
pub fn create_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return tighten(path, &fs::metadata(path)?);
    }
    if let Some(parent) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        create_dir_above(parent)?;
    }
    match DirBuilder::new().mode(DIRECTORY).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let made = fs::metadata(path)?;
    if !made.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    // The umask may have removed the owner's permissions.
    tighten(path, &made)?;
    // Otherwise a directory that exists already would never be synced.
    sync_dir_of(path).inspect_err(|_| drop(fs::remove_dir(path)))
}

/// Existing parents are not modified.
fn create_dir_above(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        Ok(())
    } else {
        create_dir(path)
    }
}

/// Opens a file. It is private if it is created; an existing one that belongs to this user is made
/// private.
pub fn open(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    let file = how.mode(FILE).open(path)?;
    let found = file.metadata()?;
    if found.is_file() && found.permissions().mode() & 0o777 != FILE && is_ours(&found) {
        warn_if_readable_by_others(path, &found);
        file.set_permissions(fs::Permissions::from_mode(FILE))?;
    }
    Ok(file)
}

/// Makes the name of a file or directory durable.
pub fn sync_dir_of(path: &Path) -> io::Result<()> {
    File::open(parent_of(path))?.sync_all()
}

/// The directory of a path, which may be the current one.
pub(super) fn parent_of(path: &Path) -> &Path {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Locks a directory for this process until the lock is dropped. Also honours the lock file `old`
/// of earlier versions, if it belongs to this user.
///
/// # Errors
///
/// [`TryLockError::WouldBlock`] if another process holds the lock.
pub fn lock_dir(path: &Path, old: &str) -> Result<DirLock, TryLockError> {
    let directory = File::open(path).map_err(TryLockError::Error)?;
    directory.try_lock()?;
    let old = path.join(old);
    let file = match fs::symlink_metadata(&old) {
        Ok(found) if found.is_file() && is_ours(&found) => {
            let file = open(&old, OpenOptions::new().write(true)).map_err(TryLockError::Error)?;
            file.try_lock()?;
            Some(file)
        }
        // Another user's file must not prevent the start.
        _ => None,
    };
    Ok(DirLock { directory, file })
}

#[derive(Debug)]
pub struct DirLock {
    directory: File,
    file: Option<File>,
}

/// Releases the lock itself instead of closing its file: a child process that is being started
/// holds copies of all open files until it executes its program.
impl Drop for DirLock {
    fn drop(&mut self) {
        for file in [Some(&self.directory), self.file.as_ref()]
            .into_iter()
            .flatten()
        {
            if let Err(error) = file.unlock() {
                tracing::warn!(%error, "could not release the lock of a directory");
            }
        }
    }
}

impl DirLock {
    /// Whether the path still names the locked directory.
    pub fn is_of(&self, path: &Path) -> io::Result<bool> {
        is_at(&self.directory, path)
    }
}

/// Whether a path still names an open file or directory.
pub fn is_at(open: &File, path: &Path) -> io::Result<bool> {
    let open = open.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Creates the directory for secrets if it is missing, and removes the permissions of others below
/// it.
///
/// # Errors
///
/// [`DataDirError::Writable`] if others could have put files there, or could replace the directory.
pub fn prepare_data_dir(path: &Path) -> Result<(), DataDirError> {
    let failed = |error| DataDirError::Io(path.to_owned(), error);
    create_dir_above(path).map_err(failed)?;
    let whole = fs::canonicalize(path).map_err(failed)?;
    check_not_writable_by_others(&whole)?;
    tighten_all(&whole, 0).map_err(failed)?;
    check_dir(path).map(drop).map_err(failed)
}

/// Whether [`prepare_data_dir`] would succeed, as far as it can be checked without changes.
///
/// # Errors
///
/// As [`prepare_data_dir`].
pub fn check_data_dir(path: &Path) -> Result<(), DataDirError> {
    let failed = |error| DataDirError::Io(path.to_owned(), error);
    let existing = check_dir(path).map_err(failed)?;
    check_not_writable_by_others(&fs::canonicalize(existing).map_err(failed)?)
}

/// Whether a directory is writable or could be created. Creates nothing and returns the existing
/// part of the path.
pub fn check_dir(path: &Path) -> io::Result<PathBuf> {
    let mut existing = std::path::absolute(path)?;
    let found = loop {
        match fs::metadata(&existing) {
            Ok(found) => break found,
            Err(error) if error.kind() == io::ErrorKind::NotFound && existing.pop() => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            Err(error) => return Err(error),
        }
    };
    if !found.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let needed = Access::WRITE_OK | Access::EXEC_OK;
    accessat(CWD, &existing, needed, AtFlags::EACCESS)?;
    Ok(existing)
}

/// Writes a file without a name in the directory, or in the existing part of its path, and syncs it. Leaves nothing.
///
/// # Errors
///
/// It cannot be written, for example because the disk is full.
pub fn try_write(path: &Path) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    let how = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match rustix::fs::open(check_dir(path)?, how, Mode::RUSR | Mode::WUSR) {
        Ok(file) => {
            let mut file = File::from(file);
            file.write_all(&vec![0; TRIED])?;
            file.sync_all()
        }
        // The file system has no files without a name.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Checks that this user may read and write a file; one that is missing is none of it.
///
/// # Errors
///
/// It may not.
pub fn check_file(path: &Path) -> io::Result<()> {
    let needed = Access::READ_OK | Access::WRITE_OK;
    match accessat(CWD, path, needed, AtFlags::EACCESS) {
        Err(Errno::NOENT) => Ok(()),
        other => Ok(other?),
    }
}

/// Whose the path is, and who asked, after an error of permissions; else empty.
#[must_use]
pub fn owner_in_words(path: &Path, error: &io::Error) -> String {
    let is_refused = error.kind() == io::ErrorKind::PermissionDenied;
    let Some(found) = fs::metadata(path).ok().filter(|_| is_refused) else {
        return String::new();
    };
    let name = |uid: u32| if uid == 0 { " (root)" } else { "" };
    let (owner, own) = (found.uid(), rustix::process::geteuid().as_raw());
    let mode = found.permissions().mode() & 0o777;
    format!(
        "; it belongs to the user {owner}{} with mode {mode:03o}, and this process runs as {own}{}: give it and what \
         lies below to that user (`chown -R`), or run this as its owner",
        name(owner),
        name(own)
    )
}

/// Refuses a directory that others can write, or that they can replace by another.
fn check_not_writable_by_others(whole: &Path) -> Result<(), DataDirError> {
    let failed = |error| DataDirError::Io(whole.to_owned(), error);
    for (distance, directory) in whole.ancestors().enumerate() {
        let found = fs::metadata(directory).map_err(failed)?;
        let mode = found.permissions().mode();
        // Group-writable ancestors are the owner's choice; in a sticky directory nobody can rename
        // another's files.
        let forbidden = match distance {
            0 => WRITABLE_BY_OTHERS,
            _ if mode & STICKY != 0 => 0,
            _ => 0o002,
        };
        if mode & forbidden != 0 {
            return Err(DataDirError::Writable {
                path: directory.to_owned(),
                mode: mode & 0o777,
            });
        }
    }
    Ok(())
}

fn tighten_all(path: &Path, depth: usize) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        // Removed by another process meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !(found.is_dir() || found.is_file()) {
        return Ok(());
    }
    tighten(path, &found)?;
    if found.is_dir() && depth < MAX_DEPTH {
        for entry in fs::read_dir(path)? {
            tighten_all(&entry?.path(), depth + 1)?;
        }
    }
    Ok(())
}

/// Removes the permissions of others if this user owns the path; restores the owner's own for a
/// directory.
fn tighten(path: &Path, found: &fs::Metadata) -> io::Result<()> {
    let mode = found.permissions().mode() & 0o777;
    let own = if found.is_dir() {
        DIRECTORY
    } else {
        mode & !OTHERS
    };
    if mode != own && is_ours(found) {
        warn_if_readable_by_others(path, found);
        fs::set_permissions(path, fs::Permissions::from_mode(own))?;
    }
    Ok(())
}

fn warn_if_readable_by_others(path: &Path, found: &fs::Metadata) {
    let mode = found.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        tracing::warn!(
            path = %path.display(),
            mode = format!("{mode:03o}"),
            "other users could read this; removed their permissions"
        );
    }
}

fn is_ours(found: &fs::Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_leaves_nothing_and_a_refusal_names_the_owner() {
        let place = tempfile::tempdir().expect("a directory");
        try_write(&place.path().join("to/be/made")).expect("written");
        let left = fs::read_dir(place.path()).expect("a directory").count();
        assert_eq!(left, 0);
        let refused = io::Error::from(io::ErrorKind::PermissionDenied);
        let told = DataDirError::Io(place.path().to_owned(), refused).to_string();
        let own = rustix::process::geteuid().as_raw();
        assert!(
            told.contains(&format!("belongs to the user {own}")),
            "{told}"
        );
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(owner_in_words(place.path(), &full), "");
        assert!(try_write(Path::new("/proc/self")).is_err());
    }

    #[test]
    fn a_lock_goes_with_who_took_it_though_a_child_still_holds_a_copy_of_the_file() {
        let place = tempfile::tempdir().expect("a directory");
        File::create(place.path().join("lock")).expect("one from before");
        let lock = lock_dir(place.path(), "lock").expect("free");
        let refused = lock_dir(place.path(), "lock");
        assert!(matches!(refused, Err(TryLockError::WouldBlock)));
        // As a fork does.
        let copies = (
            lock.directory.try_clone().expect("a copy"),
            lock.file.as_ref().map(File::try_clone),
        );
        drop(lock);
        lock_dir(place.path(), "lock").expect("free again");
        drop(copies);
    }
}
