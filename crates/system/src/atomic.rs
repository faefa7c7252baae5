//! Atomic and durable replacement of files: readers, and the next start after a power loss, find
//! the old content or the new one.
//!
//! The content is written to a temporary file in the same directory, `.{name}.{random}.new`, which
//! is synced and renamed; then the directory is synced. Only a crash leaves a temporary file behind.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use super::private;

const SUFFIX: &str = ".new";
const PRIVATE: u32 = 0o600;
const BEFORE_UMASK: u32 = 0o666;

/// Replaces a file by one that is private to its owner.
///
/// # Errors
///
/// The old content stays.
pub fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_private_with(path, |file| file.write_all(content))
}

/// Like [`replace_private`], with a function that writes the content.
pub fn replace_private_with(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    rename(temporary(path, Some(private_mode()), write)?, path)
}

/// Replaces a file that others may read, such as a policy: it keeps the permissions of the old file,
/// or gets those that the umask leaves.
///
/// # Errors
///
/// The old content stays.
pub fn replace_shared(path: &Path, content: &[u8]) -> io::Result<()> {
    // A link is replaced, and says nothing of permissions.
    let permissions = match fs::symlink_metadata(path) {
        Ok(found) => found.is_file().then(|| found.permissions()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let write = |file: &mut File| file.write_all(content);
    rename(temporary(path, permissions, write)?, path)
}

/// Creates a private file unless it exists; among several processes, the first wins.
pub fn create_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let write = |file: &mut File| file.write_all(content);
    let temporary = temporary(path, Some(private_mode()), write)?;
    match temporary.persist_noclobber(path) {
        Err(failed) if failed.error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed.error);
        }
        _ => {}
    }
    // The process that created it may have failed to sync its name.
    private::sync_dir_of(path)
}

/// Whether a path is that of a temporary file.
#[must_use]
pub fn is_temporary(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with('.') && name.ends_with(SUFFIX))
}

/// Removes temporary files that a crash left in a directory. Only for the one process that writes there.
/// The directory cannot be listed, or a file not be removed.
pub fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if is_temporary(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn private_mode() -> Permissions {
    Permissions::from_mode(PRIVATE)
}

/// `permissions` are set whatever the umask; without, the umask applies.
fn temporary(
    path: &Path,
    permissions: Option<Permissions>,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    let created = if permissions.is_some() {
        PRIVATE
    } else {
        BEFORE_UMASK
    };
    let mut file = Builder::new()
        .prefix(&prefix)
        .suffix(SUFFIX)
        .permissions(Permissions::from_mode(created))
        .tempfile_in(private::parent_of(path))?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn rename(temporary: NamedTempFile, path: &Path) -> io::Result<()> {
    let temporary = temporary.into_temp_path();
    // Through the C library, unlike `persist`: tests make its calls fail.
    fs::rename(&temporary, path)?;
    // The name is gone, so there is nothing to remove on drop.
    let _ = temporary.keep();
    private::sync_dir_of(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        let found = fs::metadata(path).expect("a file");
        found.permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("state");
        fs::write(&path, "old and longer").expect("an old file");
        replace_private(&path, b"new").expect("replaced");
        assert_eq!(fs::read(&path).expect("readable"), b"new");
        assert_eq!(mode(&path), PRIVATE);
        replace_private_with(&path, |_| Err(io::Error::other("full"))).expect_err("not written");
        assert_eq!(fs::read(&path).expect("readable"), b"new");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_shared_file_keeps_its_permissions() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("policy.cedar");
        fs::write(&path, "old").expect("an old file");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("permissions");
        replace_shared(&path, b"new").expect("replaced");
        assert_eq!(mode(&path), 0o640);
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, outside) = (dir.path().join("link"), dir.path().join("outside"));
        fs::write(&outside, "theirs").expect("a file");
        fs::set_permissions(&outside, Permissions::from_mode(0o666)).expect("permissions");
        std::os::unix::fs::symlink(&outside, &path).expect("a link");
        replace_shared(&path, b"new").expect("replaced");
        assert_eq!(fs::read(&outside).expect("readable"), b"theirs");
        assert!(!path.is_symlink() && fs::read(&path).expect("readable") == b"new");
        assert_eq!(mode(&path) & 0o002, 0, "the link's target says nothing");
    }

    #[test]
    fn the_first_of_two_creations_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keys");
        create_private(&path, b"first").expect("created");
        create_private(&path, b"second").expect("there already");
        assert_eq!(fs::read(&path).expect("readable"), b"first");
        assert_eq!(mode(&path), PRIVATE);
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn leftovers_of_a_crash_are_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in [".state.a1B2c3.new", "state", "state.new", ".hidden"] {
            fs::write(dir.path().join(name), "text").expect("a file");
        }
        remove_leftovers(dir.path()).expect("removed");
        assert!(!dir.path().join(".state.a1B2c3.new").exists());
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 3);
    }
}
