//! Edits policies within their files, and shows that as a unified diff.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{self, Component, Path, PathBuf};
use std::sync::Arc;

use cedar_policy::Policy;
use cedar_policy_formatter::{Config, policies_str_to_pretty};
use serde_json::Value;
use similar::TextDiff;

use super::narrow::parsed;
use crate::format::{INDENT_WIDTH, LINE_WIDTH, comments};
use charter_authz::folder::{Files, Folder};
use charter_authz::snapshot::Snapshot;

/// Where a policy begins and ends, and its new text, if it stays.
type Replacement = (usize, usize, Option<String>);

/// Lines around each change.
const CONTEXT: usize = 3;

/// The folder's files with these permits replaced, or left out, and notes on what that loses.
pub(super) fn edited(
    folder: &Folder,
    snapshot: &Snapshot,
    edits: &BTreeMap<String, Option<Value>>,
) -> Result<(Files, Vec<String>), String> {
    let mut notes = Vec::new();
    let mut by_file: BTreeMap<&str, Vec<Replacement>> = BTreeMap::new();
    for policy in snapshot.policies().policies() {
        let Some(edit) = edits.get(&policy.id().to_string()) else {
            continue;
        };
        let file = snapshot.file_of(policy.id().as_ref());
        let file = file.ok_or_else(|| format!("`{}` is in no file", policy.id()))?;
        let place = policy.as_ref().loc().ok_or("a policy without a place")?;
        let (start, end) = (place.span.offset(), place.span.offset() + place.span.len());
        let text = edit.as_ref().map(written).transpose()?;
        let before = folder.files().get(file).and_then(|it| it.get(start..end));
        let before = before.ok_or("a policy of an unknown file")?;
        if text.is_some() && !comments(before).is_empty() {
            notes.push(format!(
                "`{}` has comments inside, which its new version lacks",
                policy.id()
            ));
        }
        by_file.entry(file).or_default().push((start, end, text));
    }
    let mut files = folder.files().clone();
    for (name, mut edits) in by_file {
        let before = files.get(name).ok_or("a policy of an unknown file")?;
        edits.sort_unstable_by_key(|(start, ..)| *start);
        let mut after = before.to_string();
        let line_feed = if before.contains("\r\n") {
            "\r\n"
        } else {
            "\n"
        };
        for (start, end, text) in edits.into_iter().rev() {
            match text {
                Some(text) => after.replace_range(start..end, &text.replace('\n', line_feed)),
                None => remove(&mut after, start, end),
            }
        }
        if after.contains("@id(") {
            files.insert(name.to_owned(), Arc::from(after));
        } else {
            // A file without policies is a fault.
            files.remove(name);
        }
    }
    Ok((files, notes))
}

/// As `charter policy fmt` lays it out.
fn written(policy: &Value) -> Result<String, String> {
    let policy: Policy = parsed(policy.clone())?;
    let text = policy.to_cedar().ok_or("a policy without a text")?;
    let config = Config {
        line_width: LINE_WIDTH,
        indent_width: INDENT_WIDTH,
    };
    let pretty = policies_str_to_pretty(&text, &config).map_err(|error| error.to_string())?;
    Ok(pretty.trim_end().to_owned())
}

/// Removes a policy with the comment directly above it; what stands above an empty comment line is about the file.
fn remove(text: &mut String, start: usize, end: usize) {
    let mut from = start;
    while let Some(line) = text
        .get(..from)
        .and_then(|before| before.split_inclusive('\n').next_back())
    {
        let is_comment = line.trim_start().starts_with("//") && line.trim() != "//";
        if !is_comment || !line.ends_with('\n') {
            break;
        }
        from -= line.len();
    }
    let rest = text.get(end..).unwrap_or_default();
    let space = rest.len() - rest.trim_start_matches([' ', '\r', '\n']).len();
    text.replace_range(from..end + space, "");
    let length = text.trim_end().len();
    if from >= length
        && let Some(feed) = text.get(length..).and_then(|rest| rest.find('\n'))
    {
        text.truncate(length + feed + 1);
    }
}

/// The folder's path from above the policy folder: `policies`, or `policies/domains/records` of a domain.
fn title(folder: &Folder, dir: &Path) -> PathBuf {
    let is_named =
        dir.file_name().is_some() && !dir.components().any(|part| part == Component::ParentDir);
    let place = if is_named {
        path::absolute(dir)
    } else {
        fs::canonicalize(dir)
    };
    let place = place.unwrap_or_else(|_| dir.to_owned());
    let wanted = if folder.is_custom_domain() { 3 } else { 1 };
    let skipped = place.components().count().saturating_sub(wanted);
    place.components().skip(skipped).collect()
}

/// A unified diff of two folders, for `patch -p1` above the policy folder.
pub(super) fn unified_diff(folder: &Folder, dir: &Path, after: &Files) -> String {
    let (title, before) = (title(folder, dir), folder.files());
    let mut diff = String::new();
    for (name, old) in before {
        let new = after.get(name);
        if new == Some(old) {
            continue;
        }
        let path = title.join(name).display().to_string();
        let to = new.map_or_else(|| "/dev/null".to_owned(), |_| format!("b/{path}"));
        let compared = TextDiff::from_lines(&**old, new.map_or("", |text| text));
        let mut shown = compared.unified_diff();
        // Writing to a string cannot fail.
        let _ = write!(
            diff,
            "{}",
            shown
                .context_radius(CONTEXT)
                .header(&format!("a/{path}"), &to)
        );
    }
    diff
}

/// The same of one document.
pub(super) fn document_diff(title: &str, before: &str, after: &str) -> String {
    let compared = TextDiff::from_lines(before, after);
    let mut shown = compared.unified_diff();
    shown
        .context_radius(CONTEXT)
        .header(&format!("a/{title}"), &format!("b/{title}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::remove;

    #[test]
    fn a_policy_goes_with_its_comment_whatever_ends_lines() {
        for feed in ["\n", "\r\n"] {
            let lines = |text: &str| text.replace('\n', feed);
            let policy = "permit (principal, action, resource);";
            let before = "// About the file.\n//\n// One.\n// More.\n";
            for (after, left) in [
                ("\n\n// Two.\n", "// About the file.\n//\n// Two.\n"),
                ("\n\n", "// About the file.\n//\n"),
            ] {
                let (before, after) = (lines(before), lines(after));
                let mut text = format!("{before}{policy}{after}");
                remove(&mut text, before.len(), before.len() + policy.len());
                assert_eq!(text, lines(left));
            }
        }
    }
}
