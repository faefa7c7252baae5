//! What only forbids more is in force at once, whatever else lies in the folder or is being checked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use charter_authz::folder::{Files, Folder};
use charter_store::LastRevision;
use test_support::policy_world::whole_copy_of_shipped;
use test_support::service::Service;

use super::{STOP, WIDER, in_force, live, serve, serve_copy, sound, until};

fn has(service: &Service, policy: &str) -> bool {
    service.state().engine.snapshot().location(policy).is_some()
}

/// The texts that the database says are in force.
async fn recorded(service: &Service) -> Files {
    match service.store().last_policy_revision(None).await {
        Ok(LastRevision::Known(_, files)) => files,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_beside_a_refused_edit_is_in_force() {
    let (folder, service) = serve_copy("tests = \"off\"\nproofs = \"off\"").await;
    let dir = folder.path();
    let engine = &service.state().engine;
    fs::write(dir.join("broken.cedar"), "permit (principal, act").expect("an edit");
    until("refused", async || engine.health().refused.is_some()).await;
    fs::write(dir.join("stop.cedar"), STOP).expect("a stop");
    until("stopped", async || has(&service, "stop")).await;
    // The rest is as refused as before, and a stop does not let it in.
    assert!(engine.health().refused.is_some());
    fs::write(dir.join("broken.cedar"), WIDER).expect("mended");
    live(&service, dir, "all of it").await;
    assert!(has(&service, "stop") && has(&service, "wider"));
    until("checked", async || {
        let warnings = engine.health().warnings.clone();
        !warnings.iter().any(|it| it.starts_with("stop:"))
    })
    .await;
    assert!(recorded(&service).await.contains_key("stop.cedar"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_beside_what_cannot_be_read_is_in_force() {
    let (folder, service) = serve_copy("tests = \"off\"\nproofs = \"off\"").await;
    let dir = folder.path();
    let engine = &service.state().engine;
    let shipped = engine.health().files.len();
    let spoil: [(&str, &dyn Fn()); 5] = [
        ("an example", &|| {
            fs::write(dir.join("tests/zz.json"), b"\xff").expect("written");
        }),
        ("a policy in force", &|| {
            fs::write(dir.join("roles.cedar"), b"\xff").expect("written");
        }),
        ("a link to nothing", &|| {
            std::os::unix::fs::symlink("nothing", dir.join("y.cedar")).expect("a link");
        }),
        ("a misspelt name", &|| {
            fs::write(dir.join("old.CEDAR"), STOP).expect("written");
        }),
        ("no schema", &|| {
            fs::remove_file(dir.join("schema.cedarschema")).expect("removed");
        }),
    ];
    for (number, (what, spoil)) in spoil.iter().enumerate() {
        let refused = engine.health().refused.clone();
        spoil();
        until(what, async || engine.health().refused != refused).await;
        let name = format!("stop{number}");
        let stop = STOP.replace("\"stop\"", &format!("\"{name}\""));
        fs::write(dir.join(format!("{name}.cedar")), stop).expect("a stop");
        until(what, async || has(&service, &name)).await;
        // What cannot be read stays as it was; the health is told just after.
        let told = shipped + number + 1;
        until(what, async || engine.health().files.len() == told).await;
        assert!(engine.health().refused.is_some(), "{what}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbid_that_comes_with_more_in_its_file_is_an_edit_like_others() {
    let (folder, service) = serve_copy("tests = \"required\"\nproofs = \"off\"").await;
    let dir = folder.path();
    let before = in_force(&service);
    let engine = &service.state().engine;
    fs::write(dir.join("both.cedar"), format!("{STOP}{WIDER}")).expect("an edit");
    until("refused", async || engine.health().refused.is_some()).await;
    assert_eq!(in_force(&service), before);
    // A forbid with the id of a permit that is in force is none.
    fs::write(
        dir.join("both.cedar"),
        STOP.replace("\"stop\"", "\"roles.owner\""),
    )
    .expect("an edit");
    until("refused as doubled", async || {
        let refused = engine.health().refused.clone();
        refused.is_some_and(|refused| refused.reason.contains("roles.owner"))
    })
    .await;
    assert_eq!(in_force(&service), before);
    service.stop().await;
}

/// A solver that never answers but to `--version`: checks that ask it do not end.
fn mute(dir: &Path) -> String {
    let program = dir.join("cvc5");
    let script = "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'This is cvc5 version 9.9'; exit; fi\nexec sleep 600\n";
    fs::write(&program, script).expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    program.display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_check() {
    let (folder, programs) = (
        whole_copy_of_shipped(),
        tempfile::tempdir().expect("a folder"),
    );
    let dir = folder.path();
    let settings = format!(
        "tests = \"off\"\nproofs = \"off\"\nwidening = \"approved\"\nsolver = \"{}\"",
        mute(programs.path())
    );
    let service = serve(dir, &settings).await;
    // Whether it allows more is asked for as long as a check may take.
    fs::write(dir.join("wider.cedar"), WIDER).expect("an edit");
    fs::write(dir.join("stop.cedar"), STOP).expect("a stop");
    until("stopped", async || has(&service, "stop")).await;
    fs::write(
        dir.join("stop2.cedar"),
        STOP.replace("\"stop\"", "\"stop2\""),
    )
    .expect("a stop");
    until("stopped twice", async || has(&service, "stop2")).await;
    assert!(!has(&service, "wider"));
    service.stop().await;
}

/// Writes a file again and again until the test is over.
struct Restless {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Restless {
    fn new(mut write: impl FnMut(usize) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                write(number);
                number += 1;
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Restless {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it ends");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_that_never_rest_hold_nothing_up() {
    let (folder, service) = serve_copy("tests = \"off\"\nproofs = \"off\"").await;
    let dir = folder.path();
    let example = dir.join("tests/restless.json");
    let restless = Restless::new(move |number| {
        fs::write(&example, format!("[ {number} ]")).expect("a file");
        thread::sleep(std::time::Duration::from_millis(30));
    });
    fs::write(dir.join("stop.cedar"), STOP).expect("a stop");
    until("stopped", async || has(&service, "stop")).await;
    fs::write(dir.join("wider.cedar"), WIDER).expect("an edit");
    until("wider", async || has(&service, "wider")).await;
    drop(restless);
    live(&service, dir, "at rest").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_rewritten_again_and_again_lets_the_rest_in() {
    let (folder, service) = serve_copy("tests = \"off\"\nproofs = \"off\"").await;
    let dir = folder.path();
    let file = dir.join("restless.cedar");
    let restless = Restless::new(move |number| {
        let text = format!(
            "// {number}\n{}",
            WIDER.replace("\"wider\"", "\"restless\"")
        );
        fs::write(&file, text).expect("a file");
        thread::sleep(std::time::Duration::from_millis(600));
    });
    fs::write(dir.join("rest.cedar"), WIDER).expect("an edit");
    until("the rest", async || has(&service, "wider")).await;
    drop(restless);
    live(&service, dir, "at rest").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invariant_added_since_the_start_is_kept_too() {
    if test_support::policy_solver::solver().is_none() {
        return;
    }
    let (folder, service) = serve_copy("tests = \"off\"\nproofs = \"required\"").await;
    let dir = folder.path();
    let engine = &service.state().engine;
    let guard = "@id(\"guard\")\nforbid (principal is ServiceAccount, action == Action::\"accounts:CreateAccount\", resource);\n";
    let invariant = "// No program makes accounts.\n@id(\"no-program-makes-accounts\")\npermit (principal, action, resource)\nunless { principal is ServiceAccount && action == Action::\"accounts:CreateAccount\" };\n";
    fs::write(dir.join("guard.cedar"), guard).expect("a guardrail");
    fs::write(dir.join("invariants/made.cedar"), invariant).expect("an invariant");
    live(&service, dir, "guarded").await;
    until("recorded", async || {
        engine.health().failed_checks.is_empty()
    })
    .await;
    sound(&service, "checked").await;
    let wanted = Folder::read(dir)
        .expect("a folder")
        .whole_digest()
        .to_string();
    until("whole", async || {
        engine.health().whole_digest.as_deref() == Some(&*wanted)
    })
    .await;
    // Gone from the folder, the invariant is told of, and holds.
    fs::remove_file(dir.join("invariants/made.cedar")).expect("removed");
    until("told", async || {
        let warnings = engine.health().warnings.clone();
        warnings
            .iter()
            .any(|it| it.contains("invariants/made.cedar"))
    })
    .await;
    fs::remove_file(dir.join("guard.cedar")).expect("removed");
    until("refused", async || engine.health().refused.is_some()).await;
    let reason = engine
        .health()
        .refused
        .as_ref()
        .expect("refused")
        .reason
        .clone();
    assert!(reason.contains("made-promised-1"), "{reason}");
    service.stop().await;
}
