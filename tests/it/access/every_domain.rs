//! What happens to policies while they are served, on every domain that is shipped: stopped, held, approved, listed,
//! taken back, shadowed. The tools that need no service are in `decisions/domain_tools.rs`.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use test_support::policy_solver::solver;
use test_support::polling::found;
use test_support::service::{Grants, Persona as _, Service};
use test_support::services::TestDatabase;

use super::domains::{Folder, path, until};
use super::interop_domains::id_of;
use super::{Asks as _, TOKEN, question};

const DOMAINS: [&str; 3] = ["records", "todo", "gateway"];
const OPS_TOKEN: &str = "0123456789abcdef0123456789abcdef";
const STOP: &str = "@id(\"stop\")\nforbid (\n  principal,\n  action,\n  resource\n);\n";

/// One domain of a running service.
struct Domain<'a> {
    name: &'static str,
    service: &'a Service,
    folder: &'a Folder,
    /// What its policies allow as they are shipped.
    allowed: Value,
}

impl Domain<'_> {
    async fn decision(&self) -> Value {
        let endpoint = path(self.name, "evaluation");
        let asked = self.service.ask(&endpoint, &self.allowed);
        asked.await.ok()["decision"].clone()
    }

    async fn until_decision(&self, decision: bool) {
        found("decided otherwise", async || {
            (self.decision().await == json!(decision)).then_some(())
        })
        .await;
    }

    /// The workbench's endpoint, about this domain.
    async fn shown(&self, endpoint: &str) -> Value {
        let target = format!("{endpoint}?domain={}", self.name);
        let side = self.service.operator_side();
        let asked = side.get(&target);
        let asked = asked.header("authorization", &format!("Bearer {OPS_TOKEN}"));
        asked.await.ok()
    }

    /// A command of the operator, about this domain.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let config = self.service.directory().join("settings.toml");
        fs::write(&config, self.service.settings()).expect("a file");
        let ran = Command::new(env!("CARGO_BIN_EXE_charter"))
            .arg("policy")
            .args(arguments)
            .args(["--domain", self.name, "--config"])
            .arg(&config)
            .output()
            .expect("a command");
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{arguments:?}: {told}");
        String::from_utf8(ran.stdout).expect("text")
    }

    async fn is_stopped_at_once(&self) {
        self.folder.write(self.name, "stop.cedar", STOP);
        self.until_decision(false).await;
    }

    /// Without the stop it allows more than with it.
    async fn is_held_until_it_is_approved(&self) {
        let file = self.folder.domain(self.name).join("stop.cedar");
        fs::remove_file(file).expect("taken back");
        let refused = |ready: &Value| ready["domains"][self.name]["refused"].clone();
        let held = until(self.service, |ready| refused(ready).is_string()).await;
        let told = refused(&held);
        let hint = told.as_str().expect("a text").split("policy approve ");
        let digest = hint.last().and_then(|it| it.split(' ').next());
        assert_eq!(self.decision().await, json!(false));
        self.run(&[
            "approve",
            digest.expect("a digest"),
            "--reason=over",
            "--by=ann",
        ]);
        self.until_decision(true).await;
    }

    async fn is_listed_and_taken_back(&self) {
        let listed = found("recorded", async || {
            let listed = self.run(&["history", "--json"]);
            let listed: Value = serde_json::from_str(&listed).expect("JSON");
            (listed.as_array().is_some_and(|it| it.len() == 3)).then_some(listed)
        })
        .await;
        let taken_as = |index: usize| &listed[index]["taken_as"];
        assert_eq!(
            [taken_as(0), taken_as(1), taken_as(2)],
            ["edit", "stop", "start"],
            "{listed}"
        );
        assert_eq!(listed[0]["approved_by"], json!(["ann"]));
        let served = self.shown("/policies/revisions").await;
        assert_eq!(served["results"][1]["taken_as"], "stop");
        let stopped = listed[1]["revision"].to_string();
        self.run(&["rollback", &stopped, "--yes"]);
        self.until_decision(false).await;
    }

    /// The shadow is open still.
    async fn is_shadowed(&self) {
        // It is there a while after the service.
        let shown = found("a shadow", async || {
            let shown = self.shown("/policies").await;
            shown["shadow"]["since"].is_string().then_some(shown)
        })
        .await;
        let (shadow, in_force) = (&shown["shadow"], &shown["in_force"]);
        assert_eq!(shadow["fault"], Value::Null);
        assert_ne!(shadow["digest"], in_force["digest"]);
        for (policies, decision) in [("in_force", false), ("shadow", true)] {
            let mut asked = self.allowed.clone();
            asked["domain"] = json!(self.name);
            if policies == "shadow" {
                asked["policies"] = json!(policies);
            }
            let side = self.service.operator_side();
            let asked = side.post("/policies/evaluation", asked);
            let asked = asked.header("authorization", &format!("Bearer {OPS_TOKEN}"));
            assert_eq!(asked.await.ok()["decision"], decision, "{policies}");
        }
        found("a difference on record", async || {
            let decisions = self.shown("/decisions").await;
            let results = decisions["results"].as_array().expect("decisions");
            let differs = |it: &Value| it["decision"] == "deny" && !it["shadow"].is_null();
            results.iter().any(differs).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_domain_is_stopped_approved_rolled_back_and_shadowed_while_it_is_served() {
    if solver().is_none() {
        return;
    }
    let (folder, shadow) = (Folder::with(&DOMAINS), Folder::with(&DOMAINS));
    let policies = format!(
        "dir = \"{}\"\nshadow = \"{}\"\ncheck_timeout = \"100s\"\ntests = \"off\"\nproofs = \"off\"\n\
         widening = \"approved\"\n[access]\ntokens = [\"gateway:{TOKEN}\"]\n",
        folder.path().display(),
        shadow.path().display()
    );
    let server = format!("ops_token = \"{OPS_TOKEN}\"");
    let service =
        Service::with_server_and_policies(TestDatabase::sqlite(), &server, &policies).await;
    let member = Grants {
        roles: &["member"],
        ..Grants::default()
    };
    let reader = service.organization("acme").await.signer_with(member).await;
    let mut own_todo = question(("user", id_of("morty")), "can_update_todo", ("todo", "1"));
    own_todo["resource"]["properties"] = json!({"ownerID": "morty@the-citadel.com"});
    let questions = [
        question(("user", "alice"), "read", ("record", "record-1")),
        own_todo,
        question(
            ("Charter::ServiceAccount", &reader.id),
            "billing:ReadInvoice",
            ("Invoice", "7"),
        ),
    ];
    for (name, allowed) in DOMAINS.into_iter().zip(questions) {
        let domain = Domain {
            name,
            service: &service,
            folder: &folder,
            allowed,
        };
        assert_eq!(domain.decision().await, json!(true), "{name}");
        domain.is_stopped_at_once().await;
        domain.is_held_until_it_is_approved().await;
        domain.is_listed_and_taken_back().await;
        domain.is_shadowed().await;
    }
    service.stop().await;
}
