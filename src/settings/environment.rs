//! Reads the environment.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]

use std::ffi::OsString;

use nix::unistd::{User, geteuid};
use secrecy::SecretString;

/// All variables.
pub(super) fn variables() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

/// The search path of programs.
pub(super) fn search_path() -> Option<OsString> {
    std::env::var_os("PATH")
}

/// Whether this process was started by `cargo run`.
pub fn is_run_by_cargo() -> bool {
    std::env::var_os("CARGO").is_some()
}

/// The secret of `charter proxy`. There is no argument for it, because all users of the machine can read
/// arguments.
pub fn client_secret() -> Option<SecretString> {
    std::env::var("CHARTER_SECRET_KEY").ok().map(Into::into)
}

/// The operator's user name: from the login shell or `sudo`, else the user of this process.
pub(super) fn system_user() -> Option<String> {
    let read = |name| std::env::var(name).ok();
    ["SUDO_USER", "LOGNAME", "USER"]
        .into_iter()
        .find_map(|name| read(name).filter(|user| !user.is_empty()))
        .or_else(|| User::from_uid(geteuid()).ok()?.map(|user| user.name))
}
