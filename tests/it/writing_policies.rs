//! What `docs/writing-policies.md` tells a security engineer to write and to type does what it
//! says: its blocks are followed in order, in a copy of the shipped folder.

use std::fs;
use std::path::Path;
use std::process::Command;

use test_support::policy_world::copy;

use crate::signing_docs::is_installed;

const BINARY: &str = env!("CARGO_BIN_EXE_charter");

/// A fenced block, and the path that the paragraph before it names last.
pub(crate) struct Block<'a> {
    pub(crate) language: &'a str,
    pub(crate) text: &'a str,
    path: Option<&'a str>,
}

pub(crate) fn blocks(document: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut rest = document;
    while let Some((before, after)) = rest.split_once("\n```") {
        let (language, after) = after.split_once('\n').expect("a line");
        let (text, after) = after.split_once("```").expect("an end");
        let paragraph = before.trim_end().rsplit("\n\n").next().unwrap_or_default();
        let path = paragraph
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|quoted| Path::new(quoted).extension().is_some() && !quoted.contains('*'))
            .last();
        blocks.push(Block {
            language,
            text,
            path,
        });
        rest = after;
    }
    blocks
}

/// The lines with ` ` and `-` must be there once; they become those with ` ` and `+`.
fn edit(file: &Path, diff: &str) {
    let side = |other: char| -> String {
        diff.lines()
            .filter(|line| !line.starts_with(other))
            .flat_map(|line| [line.get(1..).unwrap_or_default(), "\n"])
            .collect()
    };
    let (old, new) = (side('+'), side('-'));
    let text = fs::read_to_string(file).expect("a file to edit");
    assert_eq!(text.matches(&old).count(), 1, "{}:\n{old}", file.display());
    fs::write(file, text.replace(&old, &new)).expect("written");
}

/// Each line must be in a line of what was printed, in this order; `…` stands for anything.
#[track_caller]
pub(crate) fn compare(expected: &str, printed: &str) {
    let mut lines = printed.lines();
    for line in expected.lines() {
        let parts: Vec<&str> = line.split('…').collect();
        let is_there = lines.any(|printed| {
            let mut rest = Some(printed);
            for part in &parts {
                rest = rest
                    .and_then(|rest| rest.split_once(part))
                    .map(|split| split.1);
            }
            rest.is_some()
        });
        assert!(is_there, "no `{line}`, in this order, in\n{printed}");
    }
}

#[test]
fn the_guide_does_what_it_says() {
    if !is_installed("cvc5") {
        return;
    }
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document =
        fs::read_to_string(repository.join("docs/writing-policies.md")).expect("the guide");
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path();
    copy(&repository.join("policies"), &home.join("policies"));
    let binaries = Path::new(BINARY).parent().expect("a directory");
    let mut printed = String::new();
    let mut commands = 0;
    for block in blocks(&document) {
        match block.language {
            "sh" => {
                let script = format!(
                    "exec 2>&1\nset -e\nPATH='{}':$PATH\n{}",
                    binaries.display(),
                    block.text
                );
                let output = Command::new("bash")
                    .args(["-c", &script])
                    .current_dir(home)
                    .output()
                    .expect("bash runs");
                printed = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(output.status.success(), "{}{printed}", block.text);
                commands += 1;
            }
            "text" => compare(block.text, &printed),
            "diff" => edit(&home.join(block.path.expect("a path")), block.text),
            "cedar" | "json" => {
                let file = home.join(block.path.expect("a path"));
                assert!(!file.exists(), "{} is there already", file.display());
                fs::write(file, block.text).expect("written");
            }
            other => panic!("a block of `{other}`"),
        }
    }
    assert!(commands >= 10, "{commands}");
}
