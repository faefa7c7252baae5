//! Errors of folders that cannot be used, and of jobs that cannot run now.

use charter_authz::folder::DOMAINS;
use serde_json::Value;

use super::sent_folder::{pointer, refused};
use crate::respond::{ApiError, Detail};
use crate::state::{Busy, FolderRefusal};

/// Seconds until a retry when the tools are busy.
const RETRY_SECONDS: u64 = 5;

impl From<Busy> for ApiError {
    fn from(busy: Busy) -> Self {
        let message = format!("{busy}: one at a time; try again in {RETRY_SECONDS} s");
        Self::rate_limited(message, 1, 0, RETRY_SECONDS)
    }
}

/// The error of a folder, which is in `member` of the body.
pub(super) fn of_folder(refusal: FolderRefusal, member: &str) -> ApiError {
    match refusal {
        FolderRefusal::Faults(faults) => of_faults(&faults, member),
        FolderRefusal::Unfinished(reason) => unfinished(member, &reason),
        FolderRefusal::Busy => Busy.into(),
    }
}

/// One detail for each fault, which begins with its location.
pub(super) fn of_faults(faults: &Value, member: &str) -> ApiError {
    let faults = faults["faults"].as_array().map(Vec::as_slice);
    let details = faults.unwrap_or_default().iter().map(|fault| {
        let text = |name: &str| fault[name].as_str().unwrap_or_default();
        let mut message = text("message").to_owned();
        if let (Some(line), Some(column)) = (fault["line"].as_u64(), fault["column"].as_u64()) {
            message = format!("{line}:{column}: {message}");
        }
        if !text("help").is_empty() {
            message = format!("{message}; {}", text("help"));
        }
        let field = match name_alone(text("file")) {
            "" => format!("/{member}"),
            file => pointer(member, file),
        };
        Detail::new(field, message)
    });
    let mut details: Vec<Detail> = details.collect();
    if details.is_empty() {
        details.push(Detail::new(format!("/{member}"), "cannot be used"));
    }
    refused(details)
}

/// The name of a file in its folder, which is named with it if it is a domain's.
fn name_alone(file: &str) -> &str {
    let below = file
        .strip_prefix(DOMAINS)
        .and_then(|it| it.strip_prefix('/'));
    let in_folder = below.and_then(|below| below.split_once('/'));
    in_folder.map_or(file, |(_, name)| name)
}

/// The limits of memory or time were exceeded.
pub(super) fn unfinished(member: &str, reason: &str) -> ApiError {
    refused(vec![Detail::new(format!("/{member}"), reason)])
}
