//! The demo's generated keys and operator token, kept in its data directory.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::error::{SettingsError, SettingsFault};
use super::keys;
use charter_domain::entropy::Entropy;
use charter_system::{atomic, private};

const FILE_NAME: &str = "keys.toml";
const TOKEN_BYTES: usize = 32;

pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE_NAME)
}

/// What to do if the file does not exist.
#[derive(Clone, Copy)]
pub(super) enum IfMissing<'a> {
    /// Continue without keys.
    Leave,
    /// Create it.
    Make(&'a dyn Entropy),
    /// Generate its text without creating it.
    Draft(&'a dyn Entropy),
}

/// The file's name and text; `None` if it does not exist and was not created. Fails if the file cannot be read or
/// created, or if others may read it.
pub(super) fn open(
    data_dir: &Path,
    if_missing: IfMissing<'_>,
) -> Result<Option<(String, String)>, SettingsError> {
    let path = path(data_dir);
    let name = path.display().to_string();
    let found = read(&path);
    let missing = match &found {
        Err(error) => error.kind(),
        Ok(_) => io::ErrorKind::Other,
    };
    let text = match (missing, if_missing) {
        (io::ErrorKind::NotFound, IfMissing::Leave) => return Ok(None),
        (io::ErrorKind::NotFound | io::ErrorKind::NotADirectory, IfMissing::Make(entropy)) => {
            make(data_dir, &path, entropy)
                .map_err(|error| unwritable(&error))
                .and_then(|()| read(&path))
        }
        (io::ErrorKind::NotFound | io::ErrorKind::NotADirectory, IfMissing::Draft(entropy)) => {
            private::check_data_dir(data_dir)
                .map_err(|unfit| unwritable(&in_words(unfit)))
                .map(|()| generate(entropy).to_string())
        }
        _ => found,
    };
    match text {
        Ok(text) => Ok(Some((name, text))),
        Err(error) => Err(SettingsFault::of(name, format!("cannot be used: {error}")).into()),
    }
}

fn in_words(unfit: private::DataDirError) -> io::Error {
    match unfit {
        private::DataDirError::Io(_, error) => error,
        unfit @ private::DataDirError::Writable { .. } => io::Error::other(unfit),
    }
}

fn unwritable(error: &io::Error) -> io::Error {
    io::Error::other(format!(
        "{error}: set `data_dir` to a directory that the service can create and write to"
    ))
}

fn read(path: &Path) -> io::Result<String> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(io::Error::other(format!(
            "it holds secrets and others may read it (mode {:o}): run `chmod 600` on it",
            mode & 0o777
        )));
    }
    fs::read_to_string(path)
}

fn generate(entropy: &dyn Entropy) -> Zeroizing<String> {
    let mut token = Zeroizing::new([0; TOKEN_BYTES]);
    entropy.fill(token.as_mut());
    let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(token.as_ref()));
    let keys = keys::generate(entropy);
    Zeroizing::new(format!(
        "{}\n[server]\nops_token = \"{}\"\n",
        keys.as_str(),
        token.as_str()
    ))
}

fn make(data_dir: &Path, path: &Path, entropy: &dyn Entropy) -> io::Result<()> {
    private::prepare_data_dir(data_dir).map_err(in_words)?;
    let heading = "# Made by `charter serve --demo`. Without these keys the database beside it cannot be read.\n";
    let text = Zeroizing::new([heading, &generate(entropy)].concat());
    // Atomic: a partial file would be taken for the keys of an existing database at the next start.
    atomic::create_private(path, text.as_bytes())
}
