//! Injects failures into the file operations of a running process: the n-th write, sync, open or rename of a file
//! fails; and steps its wall clock (`failing_calls.c`).

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The failing operations, as bits of `failing_calls.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Call {
    /// `write`, `pwrite`, `writev`, `ftruncate`
    Write = 1,
    /// `fsync`, `fdatasync`
    Sync = 2,
    /// `open`
    Open = 4,
    /// `rename`, `unlink`, `mkdir`
    Name = 8,
    /// `fsync`, `fdatasync` and `open`: a connection whose commit fails is closed, and the next one cannot be opened.
    SyncAndOpen = 2 | 4,
}

impl Call {
    /// Whether the calls of the other kind are among these.
    pub const fn includes(self, other: Self) -> bool {
        self as u32 & other as u32 != 0
    }

    fn named(name: &str) -> Self {
        match name {
            "write" => Self::Write,
            "sync" => Self::Sync,
            "open" => Self::Open,
            "name" => Self::Name,
            other => panic!("no call is named {other}"),
        }
    }
}

/// How calls fail.
#[derive(Debug, Clone)]
pub struct Plan {
    pub call: Call,
    /// A shell pattern for the files' paths.
    pub path: String,
    /// The number of calls that succeed before.
    pub after: u32,
    /// The number of calls that fail; later ones succeed again.
    pub times: u32,
    pub how: How,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// An I/O error.
    Io,
    /// The disk is full; the first write still writes half of its bytes.
    Full,
    /// The process is killed before the call.
    Killed,
}

impl Plan {
    /// All calls of this kind on these files fail.
    pub fn all(call: Call, path: &str) -> Self {
        Self {
            call,
            path: path.to_owned(),
            after: 0,
            times: u32::MAX,
            how: How::Io,
        }
    }
}

const IDLE: u32 = 0;
const FAIL: u32 = 1;
const RECORD: u32 = 2;
/// The size of the shared memory.
const LENGTH: usize = 256;
const SEEN: u64 = 24;
const FAILED: u64 = 28;
/// The clock's step, behind all else.
const STEP: u64 = LENGTH as u64;

/// Injects failures into the processes of one home.
pub struct Faults {
    library: PathBuf,
    control: PathBuf,
    file: File,
}

/// A fault that lasts until this is dropped.
pub struct Fault<'a> {
    faults: &'a Faults,
}

impl Faults {
    /// With its files in this directory. `None`, with a message, if there is no C compiler; with
    /// `CHARTER_REQUIRE_SERVICES=1` that fails.
    pub fn below(directory: &Path) -> Option<Self> {
        const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/services/failing_calls.c");
        let library = directory.join("failing_calls.so");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .args([SOURCE, "-ldl"])
            .output();
        let Ok(compiled) = compiled else {
            super::left_out("a C compiler");
            return None;
        };
        let said = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "{said}");
        let control = directory.join("failing_calls");
        let file = File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .open(&control);
        let file = file.expect("a file");
        file.write_all_at(&[0; LENGTH + 8], 0).expect("written");
        Some(Self {
            library,
            control,
            file,
        })
    }

    /// What a process that is to fail must be able to read and write.
    pub(super) fn files(&self) -> [&Path; 2] {
        [&self.library, &self.control]
    }

    /// Prepares a process, to be started with this command, for injected failures.
    pub fn load_into(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAILING_CALLS", &self.control);
    }

    /// Starts the planned failures.
    pub fn begin(&self, plan: &Plan) -> Fault<'_> {
        const NO_SPACE: u32 = 28;
        const IO: u32 = 5;
        const KILLED: u32 = 0;
        let error = match plan.how {
            How::Io => IO,
            How::Full => NO_SPACE,
            How::Killed => KILLED,
        };
        let numbers = [
            IDLE,
            plan.call as u32,
            plan.after,
            plan.times,
            error,
            u32::from(plan.how == How::Full),
            0,
            0,
        ];
        let mut control = numbers.map(u32::to_ne_bytes).concat();
        control.extend_from_slice(plan.path.as_bytes());
        assert!(
            control.len() < LENGTH,
            "a shorter pattern than {}",
            plan.path
        );
        control.resize(LENGTH, 0);
        self.file.write_all_at(&control, 0).expect("written");
        self.set_mode(FAIL);
        Fault { faults: self }
    }

    /// Nothing can be written to files of these paths, a shell pattern, until [`Self::stop`].
    pub fn fill(&self, path: &str) {
        let full = Plan {
            how: How::Full,
            ..Plan::all(Call::Write, path)
        };
        // Its end would end the fault.
        std::mem::forget(self.begin(&full));
    }

    /// Sets the wall clock that many seconds ahead of the machine's, or behind it.
    pub fn step_clock(&self, seconds: i64) {
        let step = seconds.to_ne_bytes();
        self.file.write_all_at(&step, STEP).expect("written");
    }

    /// Starts recording calls; none fails.
    pub fn record(&self) {
        self.set_mode(RECORD);
    }

    /// The recorded calls, each with its file.
    pub fn recorded(&self) -> Vec<(Call, PathBuf)> {
        let calls = std::fs::read_to_string(self.control.with_extension("calls"));
        let calls = calls.unwrap_or_default();
        let calls = calls.lines().filter_map(|line| {
            let (call, path) = line.split_once(' ')?;
            Some((Call::named(call), PathBuf::from(path)))
        });
        calls.collect()
    }

    pub fn stop(&self) {
        self.set_mode(IDLE);
    }

    fn set_mode(&self, mode: u32) {
        self.file
            .write_all_at(&mode.to_ne_bytes(), 0)
            .expect("written");
    }

    /// How many calls have failed since the latest failures began.
    pub fn failed(&self) -> u32 {
        self.number(FAILED)
    }

    fn number(&self, at: u64) -> u32 {
        let mut number = [0; 4];
        self.file.read_exact_at(&mut number, at).expect("read");
        u32::from_ne_bytes(number)
    }
}

impl Fault<'_> {
    /// The number of failed calls.
    pub fn failed(&self) -> u32 {
        self.faults.failed()
    }

    /// The number of calls of this kind.
    pub fn seen(&self) -> u32 {
        self.faults.number(SEEN)
    }
}

impl Drop for Fault<'_> {
    fn drop(&mut self) {
        self.faults.set_mode(IDLE);
    }
}
