//! Files and directories that only their owner reads, whatever the umask.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

const FILE: u32 = 0o600;
const DIRECTORY: u32 = 0o700;
const OTHERS: u32 = 0o077;
const WRITABLE_BY_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;
/// Directories within directories; nothing of the service is as deep.
const DEEPEST: usize = 8;

/// Why a directory cannot hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It cannot be made or looked at.
    #[error("`{0}` cannot be used: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// Somebody else could put other files into it.
    #[error(
        "`{path}` can be written by others than its owner (mode {mode:03o}), who could replace what the service trusts; \
         look at what it holds, then `chmod go-w` it, or name another directory"
    )]
    Writable {
        /// Which directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// Makes a directory for its owner only, and the missing ones above it.
///
/// # Errors
///
/// It cannot be made, or is no directory.
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
    // The umask may have taken the owner's own permissions.
    tighten(path, &made)?;
    // Or nobody would sync its name when it is found the next time.
    sync_dir_of(path).inspect_err(|_| drop(fs::remove_dir(path)))
}

/// What is there already is not ours to change.
fn create_dir_above(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        Ok(())
    } else {
        create_dir(path)
    }
}

/// Opens a file as `how` says, for its owner only if it is made or was ours and open to others.
///
/// # Errors
///
/// It cannot be opened.
pub fn open(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    let file = how.mode(FILE).open(path)?;
    let found = file.metadata()?;
    if found.is_file() && found.permissions().mode() & 0o777 != FILE && is_ours(&found) {
        warn_if_readable_by_others(path, &found);
        file.set_permissions(fs::Permissions::from_mode(FILE))?;
    }
    Ok(file)
}

/// Makes an empty file, or empties the one that is there.
///
/// # Errors
///
/// It cannot be made.
pub fn create(path: &Path) -> io::Result<File> {
    open(
        path,
        OpenOptions::new().write(true).create(true).truncate(true),
    )
}

/// Replaces a file as a whole, durably: who reads it, and who comes after a power loss, finds the
/// old content or the new one. `draft` is beside it.
///
/// # Errors
///
/// The old content stays.
pub fn replace(path: &Path, draft: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = create(draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    sync_dir_of(path)
}

/// Makes a file as a whole, durably, unless there is one: of two processes that would at once, the
/// second leaves the first one's. `draft` is beside it.
///
/// # Errors
///
/// There is no such file.
pub fn create_once(path: &Path, draft: &Path, content: &[u8]) -> io::Result<()> {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = File::open(parent.unwrap_or(Path::new(".")))?;
    directory.lock()?;
    let made = path.try_exists().and_then(|is_there| {
        if is_there {
            // Whoever made it may have failed to make its name durable.
            directory.sync_all()
        } else {
            replace(path, draft, content)
        }
    });
    directory.unlock()?;
    made
}

/// Makes the name of a file or directory durable.
///
/// # Errors
///
/// The directory that has it cannot be synced.
pub fn sync_dir_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Locks a directory for one process, until what is returned is dropped. A lock file named `old`
/// in it, which versions before took, is heeded if it is ours.
///
/// # Errors
///
/// [`TryLockError::WouldBlock`] where another process has it.
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
        // Another user's must not decide whether the service starts.
        _ => None,
    };
    Ok(DirLock { directory, file })
}

/// A lock of a directory.
#[derive(Debug)]
pub struct DirLock {
    directory: File,
    file: Option<File>,
}

/// Lets go of the lock itself, not of this process's end of it alone: a child that is being started
/// holds a copy of every open file until it runs its own program.
impl Drop for DirLock {
    fn drop(&mut self) {
        for file in [Some(&self.directory), self.file.as_ref()]
            .into_iter()
            .flatten()
        {
            if let Err(error) = file.unlock() {
                tracing::warn!(%error, "the lock of a directory could not be let go of");
            }
        }
    }
}

impl DirLock {
    /// Whether that path still names the directory that is locked.
    ///
    /// # Errors
    ///
    /// Nobody can tell.
    pub fn is_of(&self, path: &Path) -> io::Result<bool> {
        is_at(&self.directory, path)
    }
}

/// Whether a path still names an open file or directory.
///
/// # Errors
///
/// Nobody can tell.
pub fn is_at(open: &File, path: &Path) -> io::Result<bool> {
    let open = open.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes the directory that holds secrets, if it is missing, and takes from others what they could
/// read in it.
///
/// # Errors
///
/// [`Unfit::Writable`] where others could have put something there, or could put another directory
/// in its place.
pub fn prepare_data_dir(path: &Path) -> Result<(), Unfit> {
    let failed = |error| Unfit::Io(path.to_owned(), error);
    create_dir_above(path).map_err(failed)?;
    let whole = fs::canonicalize(path).map_err(failed)?;
    refuse_writable(&whole)?;
    tighten_all(&whole, 0).map_err(failed)
}

/// Whether [`prepare_data_dir`] would succeed, as far as can be told without making or changing anything.
///
/// # Errors
///
/// The same.
pub fn check_data_dir(path: &Path) -> Result<(), Unfit> {
    let failed = |error| Unfit::Io(path.to_owned(), error);
    let existing = check_dir(path).map_err(failed)?;
    refuse_writable(&fs::canonicalize(existing).map_err(failed)?)
}

/// Whether a directory is there and can be written, or could be made; nothing is made. The answer is the part of
/// the path that is there.
///
/// # Errors
///
/// What making it, or a file in it, would meet.
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
    let needed = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(&existing, needed)?;
    Ok(existing)
}

/// Refuses a directory into which others could put something, or in whose place they could put another.
fn refuse_writable(whole: &Path) -> Result<(), Unfit> {
    let failed = |error| Unfit::Io(whole.to_owned(), error);
    for (distance, directory) in whole.ancestors().enumerate() {
        let found = fs::metadata(directory).map_err(failed)?;
        let mode = found.permissions().mode();
        // A group that may write further up is its owner's choice; in a sticky directory nobody
        // renames another's.
        let forbidden = match distance {
            0 => WRITABLE_BY_OTHERS,
            _ if mode & STICKY != 0 => 0,
            _ => 0o002,
        };
        if mode & forbidden != 0 {
            return Err(Unfit::Writable {
                path: directory.to_owned(),
                mode: mode & 0o777,
            });
        }
    }
    Ok(())
}

fn tighten_all(path: &Path, depth: usize) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        // Another process's that is done.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !(found.is_dir() || found.is_file()) {
        return Ok(());
    }
    tighten(path, &found)?;
    if found.is_dir() && depth < DEEPEST {
        for entry in fs::read_dir(path)? {
            tighten_all(&entry?.path(), depth + 1)?;
        }
    }
    Ok(())
}

/// Takes what others may do from something that is ours; gives a directory's owner its own.
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
            "others than its owner could read this: it was made private"
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
    fn a_lock_goes_with_who_took_it_though_a_child_still_holds_a_copy_of_the_file() {
        let place = tempfile::tempdir().expect("a directory");
        File::create(place.path().join("lock")).expect("one from before");
        let lock = lock_dir(place.path(), "lock").expect("free");
        let refused = lock_dir(place.path(), "lock");
        assert!(matches!(refused, Err(TryLockError::WouldBlock)));
        // What a fork does to every open file.
        let copies = (
            lock.directory.try_clone().expect("a copy"),
            lock.file.as_ref().map(File::try_clone),
        );
        drop(lock);
        lock_dir(place.path(), "lock").expect("free again");
        drop(copies);
    }
}
