//! A certificate authority of one test, and a certificate for 127.0.0.1.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::postgres::give;

pub struct Certificates {
    directory: TempDir,
}

impl Certificates {
    /// `None`, with a message, if openssl is not installed; with `CHARTER_REQUIRE_SERVICES=1` that fails.
    pub fn new() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
        let made = Self { directory };
        made.issue("authority", &[])?;
        let by = ["-CA", "authority.pem", "-CAkey", "authority.key"];
        let names = ["-addext", "subjectAltName=IP:127.0.0.1"];
        let end = ["-addext", "basicConstraints=CA:FALSE"];
        made.issue("server", &[by.as_slice(), &names, &end].concat())?;
        Some(made)
    }

    fn issue(&self, name: &str, options: &[&str]) -> Option<()> {
        let issued = Command::new("openssl")
            .current_dir(self.directory.path())
            .args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"])
            .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-subj"])
            .args([&format!("/CN={name}"), "-keyout", &format!("{name}.key")])
            .args(["-out", &format!("{name}.pem")])
            .args(options)
            .output();
        let Ok(issued) = issued else {
            super::left_out("openssl");
            return None;
        };
        let said = String::from_utf8_lossy(&issued.stderr);
        assert!(issued.status.success(), "{said}");
        Some(())
    }

    /// For those who trust the authority.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("server.pem")
    }

    /// Of the user that servers run as.
    pub fn key(&self) -> PathBuf {
        let key = self.directory.path().join("server.key");
        give(&key);
        key
    }
}
