//! Resource limits of the process that checks candidates.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, setpriority_process, setrlimit};

const MAX_MEMORY_BYTES: u64 = 4 * 1024 * 1024 * 1024;
const MAX_CPU_SECONDS: u64 = 600;
/// Requests have priority over checks.
const NICENESS: i32 = 10;

/// Limits memory, processor time and core dumps of this process and its children.
///
/// # Errors
///
/// The operating system refuses.
pub fn limit_resources() -> io::Result<()> {
    let limits = [
        (Resource::As, MAX_MEMORY_BYTES),
        (Resource::Cpu, MAX_CPU_SECONDS),
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        // A lower hard limit cannot be raised.
        if getrlimit(resource).maximum.is_some_and(|set| set <= most) {
            continue;
        }
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}

/// Kills a process group by its leader.
pub fn kill_process_group(leader: u32) {
    let Some(leader) = i32::try_from(leader).ok().and_then(Pid::from_raw) else {
        return;
    };
    match rustix::process::kill_process_group(leader, Signal::KILL) {
        // It has ended already.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => {
            tracing::warn!(%error, "could not kill a cancelled policy check");
        }
    }
}

/// Lowers the priority of this thread and of the threads it starts, so that requests are served
/// first.
pub fn lower_priority() {
    if let Err(error) = setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "could not lower the priority of work on policies");
    }
}
