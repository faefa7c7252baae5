//! Watches how much room is left where the service writes, for readiness.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use charter_http::state::State;

const LOOK_INTERVAL: Duration = Duration::from_secs(2);
const MIB: u64 = 1024 * 1024;
/// A disk with more room is never reported, however large it is.
const AMPLE: u64 = 1024 * MIB;

/// Looks periodically until `stop`.
pub(super) async fn watch(directories: Vec<PathBuf>, state: Arc<State>, stop: CancellationToken) {
    let looks = async {
        loop {
            let directories = directories.clone();
            // A disk that hangs holds up only the next look.
            let look = tokio::task::spawn_blocking(move || {
                directories.iter().find_map(|directory| fault(directory))
            });
            if let Ok(fault) = look.await {
                state.disk.report(fault);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    stop.run_until_cancelled(looks).await;
}

/// Other parts of readiness report a directory that is gone.
pub(super) fn fault(directory: &Path) -> Option<String> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    let (left, all) = (bytes(disk.f_bavail), bytes(disk.f_blocks));
    is_low(left, all).then(|| {
        let (left, all) = (left / MIB, all / MIB);
        format!("{left} of {all} MiB are left for `{}`", directory.display())
    })
}

/// Less than a twentieth, and less than a gibibyte.
const fn is_low(left: u64, all: u64) -> bool {
    left < all / 20 && left < AMPLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_nearly_full_by_its_size() {
        let of = |left: u64, all: u64| is_low(left * MIB, all * MIB);
        assert!(of(0, 100) && of(4, 100) && of(1_023, 1_000_000));
        assert!(!of(5, 100) && !of(1_024, 1_000_000) && !of(0, 0));
    }
}
