//! Calls of the C library that fail in a running process: libfiu's `fiu-run` and `fiu-ctrl`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Puts a process under libfiu.
pub(crate) struct Faults {
    pipes: PathBuf,
}

/// A fault that lasts until this is dropped.
pub(crate) struct Fault<'a> {
    faults: &'a Faults,
    process: u32,
    name: String,
}

impl Faults {
    /// With its pipes in that directory. `None`, loudly, where libfiu is not installed; with
    /// `CHARTER_REQUIRE_SERVICES=1` that is a failure.
    pub(crate) fn below(directory: &Path) -> Option<Self> {
        let found = Command::new("fiu-run").args(["-x", "true"]).output();
        if found.is_ok_and(|found| found.status.success()) {
            let pipes = directory.join("fiu");
            return Some(Self { pipes });
        }
        super::left_out("libfiu");
        None
    }

    /// The same command, whose calls can be made to fail. Its process id stays its own.
    pub(crate) fn around(&self, command: &Command) -> Command {
        let mut wrapped = Command::new("fiu-run");
        wrapped
            .args(["-x", "-f"])
            .arg(&self.pipes)
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
        wrapped
    }

    /// From now on every call of that name fails with an I/O error, as `posix/io/sync/*`.
    pub(crate) fn begin(&self, process: u32, name: &str) -> Fault<'_> {
        self.tell(process, &format!("enable name={name},failinfo=5"));
        Fault {
            faults: self,
            process,
            name: name.to_owned(),
        }
    }

    fn tell(&self, process: u32, what: &str) {
        let told = Command::new("fiu-ctrl")
            .arg("-f")
            .arg(&self.pipes)
            .args(["-c", what, &process.to_string()])
            .output()
            .expect("fiu-ctrl runs");
        let said = String::from_utf8_lossy(&told.stdout);
        assert!(told.status.success() && said.is_empty(), "{said}");
    }
}

impl Drop for Fault<'_> {
    fn drop(&mut self) {
        self.faults
            .tell(self.process, &format!("disable name={}", self.name));
    }
}
