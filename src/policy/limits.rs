//! Bounds on the process that checks candidates: what a policy can make it use.

use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};

const MAX_MEMORY_BYTES: u64 = 4 * 1024 * 1024 * 1024;
const MAX_CPU_SECONDS: u64 = 600;
/// Requests come first.
const NICENESS: i32 = 10;

/// Confines this process and those that it starts: no more memory than a large folder needs, no
/// endless work, no core dump of policies. Where that is refused it goes on: its parent waits only so long.
pub fn confine() {
    let limits = [
        (Resource::As, MAX_MEMORY_BYTES),
        (Resource::Cpu, MAX_CPU_SECONDS),
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        if let Err(error) = setrlimit(resource, limit) {
            tracing::warn!(%error, "the check of the policies cannot be confined");
        }
    }
    if let Err(error) = setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "the check of the policies runs beside requests as their equal");
    }
}
