//! Fixtures of the integration tests: databases, a running service, and clients.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    clippy::new_without_default,
    clippy::return_self_not_must_use,
    reason = "a fixture that fails is a test that fails, and says so"
)]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub mod choices;
pub mod client;
pub mod cluster;
pub mod policy_solver;
pub mod policy_world;
pub mod polling;
pub mod process;
pub mod service;
pub mod services;
pub mod signed_client;
pub mod stored_tenant;

pub fn repository() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("two folders down")
}

/// The `charter` binary, which cargo builds before the tests.
pub fn binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
        // The running program is `target/debug/deps/it-…`.
        let test = std::env::current_exe().expect("the test's own path");
        let binary = test.ancestors().nth(2).expect("a target folder");
        binary.join("charter")
    });
    &BINARY
}
