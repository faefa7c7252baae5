//! The section `[decisions]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reader::Reader;
use super::values::Decisions;
use charter_decision_log::{MaskStyle, Overflow, RotationLimits};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
const MIB: u64 = 1024 * 1024;

pub(super) fn read(reader: &mut Reader, data_dir: &Path) -> Decisions {
    let dir = reader.parsed("decisions.dir", PathBuf::new(), |text| match text {
        "" => Err("is empty: give a directory".to_owned()),
        path => Ok(PathBuf::from(
            path.replace("{data_dir}", &data_dir.display().to_string()),
        )),
    });
    let decisions = Decisions {
        enabled: switch(reader, "decisions.enabled"),
        dir,
        overflow: reader.parsed("decisions.overflow", Overflow::Wait, |text| match text {
            "wait" => Ok(Overflow::Wait),
            "count" => Ok(Overflow::Count),
            other => Err(format!("`{other}` is neither `wait` nor `count`")),
        }),
        queue: reader.number("decisions.queue", 16..=1_000_000),
        limits: RotationLimits {
            rotate_bytes: reader.number("decisions.rotate_bytes", 4096..=64 * 1024 * MIB),
            rotate_after: reader.duration("decisions.rotate_after", MINUTE..=400 * DAY),
            keep_files: reader.number("decisions.keep_files", 1..=1_000_000),
            keep_for: reader.duration("decisions.keep_for", MINUTE..=40_000 * DAY),
        },
        allowed_per_second: reader.number("decisions.allowed_per_second", 0..=1_000_000),
        mask: reader.list("decisions.mask"),
        mask_style: reader.parsed("decisions.mask_with", MaskStyle::Hash, |text| match text {
            "hash" => Ok(MaskStyle::Hash),
            "stars" => Ok(MaskStyle::Stars),
            other => Err(format!("`{other}` is neither `hash` nor `stars`")),
        }),
    };
    let has_shadow = !reader.text("policies.shadow").is_empty();
    if has_shadow && !decisions.enabled {
        reader.disagreement(
            "policies.shadow",
            "is evaluated by the decision log's writer: set `decisions.enabled` to `true`, or leave it empty",
        );
    }
    decisions
}

fn switch(reader: &mut Reader, key: &str) -> bool {
    reader.parsed(key, false, |text| {
        text.parse()
            .map_err(|_| format!("`{text}` is neither `true` nor `false`"))
    })
}
