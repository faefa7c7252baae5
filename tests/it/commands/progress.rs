//! Long work shows itself to a person at a terminal, and to nobody else.

use std::io::Read as _;
use std::process::{Command, Stdio};

use test_support::policy_solver::played;
use test_support::process::Home;

/// `charter policy prove` with a solver that answers nothing before the file `go` is there.
fn proving(home: &Home, solver: &std::path::Path, more: &[&str]) -> Command {
    let solver = solver.join("cvc5").display().to_string();
    let arguments = ["policy", "prove", "--solver", &solver, "--timeout=600"];
    home.command(&[&arguments[..], more].concat())
}

/// The same command on a terminal of its own, which `script` copies to standard output.
fn on_a_terminal(command: &Command) -> Command {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words
        .map(|word| format!("'{}'", word.to_str().expect("text")))
        .collect();
    let mut script = Command::new("/usr/bin/script");
    let variables = command.get_envs();
    script
        .args(["-qefc", &words.join(" "), "/dev/null"])
        .env_clear()
        .envs(variables.filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    script
}

fn waiting_solver() -> tempfile::TempDir {
    let (_, dir) = played("until [ -e \"$(dirname \"$0\")/go\" ]; do sleep 0.1; done; exit 3");
    dir
}

#[test]
fn a_proof_at_a_terminal_says_how_far_it_is() {
    let home = Home::new();
    let solver = waiting_solver();
    let mut child = on_a_terminal(&proving(&home, solver.path(), &[]))
        .spawn()
        .expect("script runs");
    let mut output = child.stdout.take().expect("its output");
    let (mut seen, mut bytes) = (String::new(), [0; 1024]);
    while !(seen.contains("proving, claims") && seen.contains(" of ")) {
        let read = output.read(&mut bytes).expect("output");
        assert!(read > 0, "it ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    std::fs::write(solver.path().join("go"), "").expect("a file");
    output.read_to_string(&mut seen).expect("the rest");
    child.wait().expect("its end");
    assert!(seen.contains("digest "), "the verdict follows: {seen}");
}

#[test]
fn a_proof_says_nothing_of_itself_to_a_program() {
    let home = Home::new();
    let (_, slow) = played("[ -e \"$0.slept\" ] || { touch \"$0.slept\"; sleep 2; }; exit 3");
    let piped = proving(&home, slow.path(), &[]).output();
    let piped = piped.expect("the binary runs");
    assert_eq!(String::from_utf8_lossy(&piped.stderr), "");
    let json = on_a_terminal(&proving(&home, slow.path(), &["--json"])).output();
    let json = String::from_utf8(json.expect("script runs").stdout).expect("text");
    serde_json::from_str::<serde_json::Value>(&json).expect("one document and nothing else");
}
