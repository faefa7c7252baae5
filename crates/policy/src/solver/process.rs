//! One solver process. Two threads carry its input and output, so that waiting for it can time out;
//! it is killed on drop.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use cedar_policy_symcc::solver::{Decision, DecisionWithModel, Solver, SolverError};

/// Longer answers are rejected.
const MAX_MODEL_BYTES: usize = 16 * 1024 * 1024;

/// A running solver, and the script to send next.
#[derive(Debug)]
pub(super) struct SolverProcess {
    child: Child,
    scripts: Sender<Vec<u8>>,
    lines: Receiver<String>,
    script: Vec<u8>,
    /// Timeout of one answer.
    pub(super) timeout: Duration,
}

impl SolverProcess {
    pub(super) fn start(program: &Path, query: Duration) -> io::Result<Self> {
        let limit = format!("--tlimit-per={}", query.as_millis());
        // `like` needs string functions beyond the standard theory.
        let mut child = spawn(program, &["--lang=smt", "--strings-exp", &limit])?;
        let (scripts, to_write) = mpsc::channel::<Vec<u8>>();
        if let Some(mut input) = child.stdin.take() {
            thread::Builder::new().spawn(move || {
                for script in to_write {
                    if input.write_all(&script).is_err() || input.flush().is_err() {
                        break;
                    }
                }
            })?;
        }
        let lines = lines(&mut child)?;
        Ok(Self {
            child,
            scripts,
            lines,
            script: Vec::new(),
            timeout: query,
        })
    }

    fn send(&mut self, command: &str) -> Result<(), SolverError> {
        self.script.extend_from_slice(command.as_bytes());
        self.scripts
            .send(std::mem::take(&mut self.script))
            .map_err(|_| SolverError::Solver("it has ended".to_owned()))
    }

    fn line(&self) -> Result<String, SolverError> {
        self.lines.recv_timeout(self.timeout).map_err(|error| {
            SolverError::Solver(match error {
                RecvTimeoutError::Timeout => "no answer in time".to_owned(),
                RecvTimeoutError::Disconnected => "it ended without an answer".to_owned(),
            })
        })
    }
}

impl Drop for SolverProcess {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

/// It may have ended already.
fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

impl Solver for SolverProcess {
    fn smtlib_input(&mut self) -> &mut (dyn tokio::io::AsyncWrite + Unpin + Send) {
        &mut self.script
    }

    async fn enable_models(&mut self) -> Result<(), SolverError> {
        self.script
            .extend_from_slice(b"(set-option :produce-models true)\n");
        Ok(())
    }

    async fn check_sat(&mut self) -> Result<Decision, SolverError> {
        self.send("(check-sat)\n")?;
        match self.line()?.trim() {
            "sat" => Ok(Decision::Sat),
            "unsat" => Ok(Decision::Unsat),
            "unknown" => Ok(Decision::Unknown),
            other => Err(SolverError::UnrecognizedSolverOutput(shortened(other))),
        }
    }

    async fn check_sat_with_model(&mut self) -> Result<DecisionWithModel, SolverError> {
        match self.check_sat().await? {
            Decision::Unsat => Ok(DecisionWithModel::Unsat),
            Decision::Unknown => Ok(DecisionWithModel::Unknown),
            Decision::Sat => {
                self.send("(get-model)\n")?;
                let mut model = self.line()?;
                if model.trim() != "(" {
                    return Err(SolverError::UnrecognizedSolverOutput(shortened(&model)));
                }
                loop {
                    let line = self.line()?;
                    model.push_str(&line);
                    if line.trim() == ")" {
                        return Ok(DecisionWithModel::Sat { model });
                    }
                    if model.len() > MAX_MODEL_BYTES {
                        let what = "its model is too long".to_owned();
                        return Err(SolverError::UnrecognizedSolverOutput(what));
                    }
                }
            }
        }
    }
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(200).collect()
}

/// The first line of a program's output, if it prints one in time.
pub(super) fn first_line(
    program: &Path,
    arguments: &[&str],
    timeout: Duration,
) -> io::Result<Option<String>> {
    let mut child = spawn(program, arguments)?;
    let line = lines(&mut child)?.recv_timeout(timeout).ok();
    kill(&mut child);
    Ok(line)
}

fn spawn(program: &Path, arguments: &[&str]) -> io::Result<Child> {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// Its output line by line, until end of file.
fn lines(child: &mut Child) -> io::Result<Receiver<String>> {
    let (sender, lines) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        thread::Builder::new().spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let mut line = Vec::new();
                let limit = MAX_MODEL_BYTES as u64;
                match output.by_ref().take(limit).read_until(b'\n', &mut line) {
                    Ok(length) if length > 0 => {}
                    _ => break,
                }
                let line = String::from_utf8_lossy(&line).into_owned();
                if sender.send(line).is_err() {
                    break;
                }
            }
        })?;
    }
    Ok(lines)
}
