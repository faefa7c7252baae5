//! Bounds on the process that checks candidates: what a policy can make it use.

use std::io;

use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getrlimit, kill_process_group, setpriority_process, setrlimit,
};

const MAX_MEMORY_BYTES: u64 = 4 * 1024 * 1024 * 1024;
const MAX_CPU_SECONDS: u64 = 600;
/// Requests come first.
const NICENESS: i32 = 10;

/// Confines this process and those that it starts: no more memory than a large folder needs, no
/// endless work, no core dump of policies. What is not urgent lets requests go first.
///
/// # Errors
///
/// The operating system refuses.
pub fn confine(is_urgent: bool) -> io::Result<()> {
    let limits = [
        (Resource::As, MAX_MEMORY_BYTES),
        (Resource::Cpu, MAX_CPU_SECONDS),
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        // Somebody may have set a lower one, which cannot be raised.
        if getrlimit(resource).maximum.is_some_and(|set| set <= most) {
            continue;
        }
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)?;
    }
    if !is_urgent {
        lower_priority();
    }
    Ok(())
}

/// Ends a process that leads a group of its own, with all that it started.
pub fn end_group(leader: u32) {
    let Some(leader) = i32::try_from(leader).ok().and_then(Pid::from_raw) else {
        return;
    };
    match kill_process_group(leader, Signal::KILL) {
        // One that is over needs no end.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => {
            tracing::warn!(%error, "a check of the policies goes on though it was given up");
        }
    }
}

/// Lets requests go before what this thread, and those that it starts, do from now on.
pub fn lower_priority() {
    if let Err(error) = setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "work on policies runs beside requests as their equal");
    }
}
