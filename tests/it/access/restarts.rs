//! A restart takes of each domain what was accepted of it, and nothing wider.

use std::fs;
use std::path::Path;

use charter_authz::folder::Folder as AuthzFolder;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use test_support::cluster::{Cluster, stop};
use test_support::policy_solver::solver;
use test_support::policy_world::copy;
use test_support::process::{Charter, Home, Outcome};
use test_support::service::{Anonymous, Persona as _};
use test_support::services::{TestDatabase, connect};

use super::approved::WIDER;
use super::domains::{Folder, example};
use super::{Asks, TOKEN, question};

test_support::on_both_engines![
    a_restart_approves_no_edit_of_a_domain,
    a_forged_record_closes_its_domain_alone,
    a_refused_edit_and_a_restart_leave_in_force_what_was_accepted,
];

impl Asks for Charter {
    fn side(&self) -> Anonymous {
        Anonymous::at(self.operations)
    }
}

fn home(database: TestDatabase, folder: &Folder, widening: &str) -> Home {
    Home::on(database)
        .with(
            "CHARTER__POLICIES__DIR",
            &folder.path().display().to_string(),
        )
        .with("CHARTER__POLICIES__TESTS", "off")
        .with("CHARTER__POLICIES__PROOFS", "off")
        .with("CHARTER__POLICIES__WIDENING", widening)
        .with("CHARTER__ACCESS__TOKENS", &format!("gateway:{TOKEN}"))
}

pub(super) async fn of_domain(service: &Charter, name: &str) -> Value {
    let ready = service.side().get("/readyz").await.json();
    ready["domains"][name].clone()
}

/// Whether `alice` may write an archived record, which only [`WIDER`] allows.
async fn is_wider(service: &Charter) -> bool {
    let write = question(("user", "alice"), "write", ("record", "record-2"));
    let asked = service.ask("/domains/records/access/v1/evaluation", &write);
    asked.await.ok() == json!({"decision": true})
}

async fn assert_held(service: &Charter) {
    assert!(!is_wider(service).await);
    let told = of_domain(service, "records").await;
    let told = told["refused"].as_str().expect("a reason");
    assert!(told.contains("--domain records"), "{told}");
}

fn whole_digest(dir: &Path) -> String {
    let folder = AuthzFolder::read(dir).expect("a folder");
    folder.whole_digest().to_string()
}

fn approve(home: &Home, folder: &Folder, more: &str) -> Outcome {
    let digest = whole_digest(&folder.domain("records"));
    let command = ["policy", "approve", &digest, "--domain", "records"];
    home.run(&[&command[..], &["--reason=meant", "--by=alice", more]].concat())
}

async fn a_restart_approves_no_edit_of_a_domain(database: TestDatabase) {
    if solver().is_none() {
        return;
    }
    let folder = Folder::with(&["records", "todo"]);
    let home = home(database, &folder, "approved");
    let service = home.serve();
    let accepted = of_domain(&service, "records").await;
    assert_eq!(accepted["status"], "ok");
    assert_eq!(
        accepted["folder_digest"],
        whole_digest(&folder.domain("records"))
    );
    drop(service);
    folder.write("records", "wider.cedar", WIDER);
    let check = home.run(&["check", "--demo"]).success();
    assert!(
        check.contains("the domain `records` cannot be taken") && !check.contains("`todo` cannot"),
        "{check}"
    );
    for _ in 0..2 {
        let service = home.serve();
        assert_held(&service).await;
        let now = of_domain(&service, "records").await;
        assert_eq!(
            (&now["digest"], &now["since"]),
            (&accepted["digest"], &accepted["since"])
        );
        assert_eq!(of_domain(&service, "todo").await["status"], "ok");
    }
    // Without its folder a domain decides nothing; with another one it is no new domain.
    let (dir, away) = (folder.domain("records"), folder.path().join("away"));
    fs::rename(&dir, &away).expect("moved away");
    let service = home.serve();
    let write = question(("user", "alice"), "write", ("record", "record-2"));
    let asked = service.ask("/domains/records/access/v1/evaluation", &write);
    asked.await.assert_refused(404, "NOT_FOUND");
    fs::rename(&away, &dir).expect("moved back");
    while of_domain(&service, "records").await.is_null() {}
    assert_held(&service).await;
    drop(service);
    let shown = approve(&home, &folder, "--demo").success();
    for told in ["in force    revision", "new policy `wider`", "write"] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    for _ in 0..2 {
        let service = home.serve();
        assert!(is_wider(&service).await);
        assert_eq!(of_domain(&service, "records").await["status"], "ok");
    }
    let history = ["policy", "history", "--domain=records", "--demo", "--json"];
    let history: Value = serde_json::from_str(&home.run(&history).success()).expect("json");
    let [now, first] = history.as_array().expect("a list").as_slice() else {
        panic!("{history}");
    };
    assert_eq!(now["approved_by"], json!(["alice"]));
    assert_eq!(now["in_force_from"], first["in_force_until"]);
    let approvals = home.run(&["policy", "approvals", "--demo", "--json"]);
    let approvals: Value = serde_json::from_str(&approvals.success()).expect("json");
    assert_eq!(
        (&approvals[0]["state"], &approvals[0]["domain"]),
        (&json!("used"), &json!("records"))
    );
    // Back, and to what has been approved once: that was another step.
    let first = first["revision"].to_string();
    let back = ["policy", "rollback", &first, "--domain=records"];
    home.run(&[&back[..], &["--yes", "--demo"]].concat())
        .success();
    assert!(!folder.domain("records").join("wider.cedar").exists());
    drop(home.serve());
    folder.write("records", "wider.cedar", WIDER);
    let service = home.serve();
    assert_held(&service).await;
    drop(service);
    home.verify_audit();
}

async fn a_forged_record_closes_its_domain_alone(database: TestDatabase) {
    if solver().is_none() {
        return;
    }
    let folder = Folder::with(&["records"]);
    let home = home(database, &folder, "approved");
    drop(home.serve());
    // Its revision is a later one: a row of `records` that is moved to it is not its last.
    copy(&example("todo"), &folder.domain("todo"));
    drop(home.serve());
    for forged in [
        "UPDATE policy_revisions SET taken_as = 'stop' WHERE domain = 'records'",
        "UPDATE policy_revisions SET domain = 'todo' WHERE domain = 'records'",
        "DELETE FROM policy_revisions WHERE domain = 'todo' AND taken_as = 'stop'",
    ] {
        let raw = connect(&home.database_url()).await;
        raw.execute_unprepared(forged).await.expect(forged);
        drop(raw);
        let service = home.serve();
        let closed = of_domain(&service, "records").await;
        let told = closed["refused"].as_str().expect("a reason");
        assert!(
            told.contains("unknown") && told.contains("--domain records"),
            "{forged}: {told}"
        );
        assert_eq!(closed.get("digest"), None, "{forged}");
        let read = question(("user", "alice"), "read", ("record", "record-1"));
        let asked = service.ask("/domains/records/access/v1/evaluation", &read);
        asked.await.assert_refused(503, "UNAVAILABLE");
        let ready = service.side().get("/readyz").await.json();
        assert_eq!(ready["policies"]["status"], "ok");
        assert_eq!(ready["domains"]["todo"]["status"], "ok", "{forged}");
    }
    approve(&home, &folder, "--demo").success();
    let service = home.serve();
    assert_eq!(of_domain(&service, "records").await["status"], "ok");
}

async fn a_refused_edit_and_a_restart_leave_in_force_what_was_accepted(database: TestDatabase) {
    let folder = Folder::with(&["records"]);
    let home = home(database, &folder, "free");
    drop(home.serve());
    folder.write("records", "wider.cedar", &format!("{WIDER}permit ("));
    let service = home.serve();
    let told = of_domain(&service, "records").await;
    assert_eq!(told["status"], "degraded");
    assert!(
        told["refused"]
            .as_str()
            .is_some_and(|it| it.contains("wider.cedar"))
    );
    assert!(!is_wider(&service).await);
    drop(service);
    // Whoever would rather have nothing says so: of this domain, not of the service.
    let strict = home.with("CHARTER__POLICIES__START", "strict");
    let service = strict.serve();
    let write = question(("user", "alice"), "write", ("record", "record-2"));
    let asked = service.ask("/domains/records/access/v1/evaluation", &write);
    asked.await.assert_refused(503, "UNAVAILABLE");
    drop(service);
    // An edit that is sound counts from the next start on; wider ones are free here.
    folder.write("records", "wider.cedar", WIDER);
    assert!(is_wider(&strict.serve()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_whose_folder_became_a_link_stays_what_was_accepted() {
    let folder = Folder::with(&["records"]);
    let home = home(TestDatabase::sqlite(), &folder, "free");
    let read = question(("user", "alice"), "read", ("record", "record-1"));
    let decision = async |service: &Charter| {
        let asked = service.ask("/domains/records/access/v1/evaluation", &read);
        asked.await.ok()["decision"].clone()
    };
    let service = home.serve();
    assert_eq!(decision(&service).await, json!(true));
    let (dir, away) = (folder.domain("records"), folder.path().join("away"));
    fs::rename(&dir, &away).expect("moved away");
    std::os::unix::fs::symlink(&away, &dir).expect("a link");
    drop(service);
    let service = home.serve();
    assert_eq!(decision(&service).await, json!(true));
    let told = of_domain(&service, "records").await;
    let refused = told["refused"].as_str().expect("a reason");
    assert!(refused.contains("is a link"), "{told}");
    drop(service);
    let check = home.run(&["policy", "check", &dir.display().to_string()]);
    assert_eq!(check.code, Some(2));
    assert!(check.err.contains("is a link"), "{}", check.err);
    let unknown = home.run(&["policy", "history", "--domain=nowhere", "--demo"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("nowhere"), "{}", unknown.err);
    let known = home.run(&["policy", "history", "--domain=records", "--demo"]);
    known.success();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_what_is_approved_and_in_force_of_a_domain() {
    if solver().is_none() {
        return;
    }
    let settings = [
        ("POLICIES__TESTS", "off"),
        ("ACCESS__TOKENS", &format!("gateway:{TOKEN}")),
        (
            "SERVER__OPS_TOKEN",
            "of-operators-0123456789abcdef0123456789",
        ),
    ];
    let Some(cluster) = Cluster::with_settings(&settings).await else {
        return;
    };
    let folders = [Folder::with(&["records"]), Folder::with(&["records"])];
    let mut folders_of = folders.iter();
    let cluster = cluster.map_homes(|home| {
        let folder = folders_of.next().expect("a folder for each");
        home.with(
            "CHARTER__POLICIES__DIR",
            &folder.path().display().to_string(),
        )
    });
    stop(cluster.serve());
    let cluster = cluster.map_homes(|home| home.with("CHARTER__POLICIES__WIDENING", "approved"));
    let [one, other] = cluster.serve();
    folders[0].write("records", "wider.cedar", WIDER);
    while of_domain(&one, "records").await["refused"].is_null() {}
    assert_held(&one).await;
    // Whichever machine the approval is given on.
    approve(&cluster.homes[0], &folders[0], &cluster.config).success();
    while !is_wider(&one).await {}
    assert!(!is_wider(&other).await);
    // The other one has its own folder, and what is in force already needs nobody.
    folders[1].write("records", "wider.cedar", WIDER);
    while !is_wider(&other).await {}
    drop(other);
    let other = cluster.homes[1].start(&["serve", &cluster.config]);
    assert!(is_wider(&other).await);
    let of_operators = "Bearer of-operators-0123456789abcdef0123456789";
    loop {
        let listed = other.side().get("/replicas");
        let listed = listed.header("authorization", of_operators).await.ok();
        let replicas = listed["results"].as_array().expect("a list").clone();
        let live = replicas.iter().filter(|it| it["readiness"] != "lost");
        let digests: Vec<&Value> = live.map(|it| &it["domain_digests"]["records"]).collect();
        if digests.len() > 1 && digests.iter().all(|it| it.is_string() && *it == digests[0]) {
            break;
        }
    }
}
