//! Revisions and approvals of policies: kept whole, used once, and nothing is made up in the tables.

use std::sync::Arc;

use charter_domain::entropy::OsEntropy;
use charter_domain::id::ApprovalId;
use charter_store::{
    Error, LastRevision, NewPolicyApproval, NewPolicyRevision, PolicyFiles, TakenAs,
};
use sea_orm::ConnectionTrait as _;
use test_support::services::{TestDatabase, connect};

use super::world::{World, noon, tester};

test_support::on_both_engines![
    a_revision_comes_back_with_its_texts,
    tampered_rows_are_not_trusted,
    an_older_database_without_revisions_is_not_a_new_one,
    an_approval_is_for_one_step_and_counts_once,
    a_withdrawn_approval_stays_withdrawn,
    the_trail_of_the_installation_is_verified,
];

fn files(text: &str) -> PolicyFiles {
    [("schema.cedarschema", "entity User;"), ("a.cedar", text)]
        .map(|(name, text)| (name.to_owned(), Arc::from(text)))
        .into()
}

pub(super) fn revision(text: &str, version: Option<u64>) -> NewPolicyRevision {
    let name: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let name = name.concat();
    let digest = |what: &str| format!("{what}{name:0<63}");
    NewPolicyRevision {
        whole_digest: digest("w"),
        policy_digest: digest("p"),
        manifest_version: version,
        files: files(text),
        taken_as: TakenAs::Edit,
        in_force_from: noon(),
    }
}

impl World {
    async fn accept(&self, new: &NewPolicyRevision) -> i64 {
        let accepted = self.store.accept_policies(None, new, &self.by()).await;
        accepted.expect("recorded")
    }

    async fn last(&self) -> LastRevision {
        self.store.last_policy_revision(None).await.expect("read")
    }

    pub(super) async fn execute(&self, statement: &str) {
        let connection = connect(self.database.url()).await;
        connection
            .execute_unprepared(statement)
            .await
            .expect(statement);
    }

    pub(super) fn approval(digest: &str, base: i64, by: &str) -> NewPolicyApproval {
        NewPolicyApproval {
            id: ApprovalId::generate(noon(), &OsEntropy),
            whole_digest: digest.to_owned(),
            base,
            approved_by: by.to_owned(),
            reason: "because".to_owned(),
        }
    }
}

async fn a_revision_comes_back_with_its_texts(database: TestDatabase) {
    let world = World::on(database).await;
    assert_eq!(world.last().await, LastRevision::None);
    let (first, second) = (revision("permit\0odd", Some(u64::MAX)), revision("b", None));
    assert_eq!(world.accept(&first).await, 1);
    // The same again is no other one.
    assert_eq!(world.accept(&first).await, 1);
    assert_eq!(world.accept(&second).await, 2);
    assert_eq!(world.accept(&first).await, 3);
    let LastRevision::Known(last, texts) = world.last().await else {
        panic!("not known");
    };
    assert_eq!((last.sequence, last.manifest_version), (3, Some(u64::MAX)));
    assert_eq!(texts, first.files);
    let earlier = world
        .store
        .policies_of_digest(None, &second.policy_digest)
        .await;
    let (earlier, texts) = earlier.expect("read").expect("known");
    assert_eq!((earlier.sequence, texts), (2, second.files));
    assert_eq!(
        world
            .store
            .policies_of_digest(None, "other")
            .await
            .expect("read"),
        None
    );
    let all = world.store.policy_revisions(None, 10).await.expect("read");
    let numbers: Vec<i64> = all.iter().map(|revision| revision.sequence).collect();
    assert_eq!(numbers, [3, 2, 1]);
}

async fn tampered_rows_are_not_trusted(database: TestDatabase) {
    let world = World::on(database).await;
    world.accept(&revision("a", Some(5))).await;
    let actor = format!("UPDATE installation_events SET actor = '{}'", tester());
    for (change, undo) in [
        (
            "UPDATE policy_revisions SET manifest_version = '1'",
            "UPDATE policy_revisions SET manifest_version = '5'",
        ),
        (
            "UPDATE policy_revisions SET event = 1, taken_as = 'stop'",
            "UPDATE policy_revisions SET taken_as = 'edit'",
        ),
        (
            "UPDATE installation_events SET actor = 'other'",
            actor.as_str(),
        ),
    ] {
        assert!(
            matches!(world.last().await, LastRevision::Known(..)),
            "{undo}"
        );
        world.execute(change).await;
        assert_eq!(world.last().await, LastRevision::Unknown(1), "{change}");
        world.execute(undo).await;
    }
    world.execute("DELETE FROM policy_texts").await;
    assert_eq!(world.last().await, LastRevision::Unknown(1));
}

async fn an_older_database_without_revisions_is_not_a_new_one(database: TestDatabase) {
    let world = World::on(database).await;
    world.organization("acme").await;
    assert_eq!(world.last().await, LastRevision::Unknown(0));
}

async fn an_approval_is_for_one_step_and_counts_once(database: TestDatabase) {
    let world = World::on(database).await;
    let (first, wider) = (revision("a", None), revision("b", None));
    world.accept(&first).await;
    let digest = &wider.whole_digest;
    let approval = World::approval(digest, 1, "alice");
    let stale = world
        .store
        .approve_policies(None, World::approval(digest, 0, "alice"), &world.by())
        .await;
    assert!(matches!(stale, Err(Error::Stale)));
    world
        .store
        .approve_policies(None, approval, &world.by())
        .await
        .expect("recorded");
    let of = async |base| {
        world
            .store
            .approvals_of(digest, base)
            .await
            .expect("read")
            .len()
    };
    assert_eq!((of(1).await, of(0).await, of(2).await), (1, 0, 0));
    world
        .execute("CREATE TABLE kept AS SELECT * FROM policy_approvals")
        .await;
    world.accept(&wider).await;
    world.accept(&first).await;
    let used = world.store.policy_approvals().await.expect("read");
    assert_eq!(used[0].used_by, Some(2));
    // An old copy put back is for a step that nobody is at.
    world.execute("DELETE FROM policy_approvals").await;
    world
        .execute("INSERT INTO policy_approvals SELECT * FROM kept")
        .await;
    assert_eq!(of(3).await, 0);
    // Nor can it be moved to another.
    world.execute("UPDATE policy_approvals SET base = 3").await;
    assert_eq!(of(3).await, 0);
}

async fn a_withdrawn_approval_stays_withdrawn(database: TestDatabase) {
    let world = World::on(database).await;
    world.accept(&revision("a", None)).await;
    let wider = revision("b", None).whole_digest;
    let approval = World::approval(&wider, 1, "alice");
    let id = approval.id;
    let store = &world.store;
    store
        .approve_policies(None, approval, &world.by())
        .await
        .expect("recorded");
    store
        .withdraw_approval(id, &world.by())
        .await
        .expect("withdrawn");
    let again = store.withdraw_approval(id, &world.by()).await;
    assert!(matches!(again, Err(Error::NotFound)));
    assert!(
        store
            .approvals_of(&wider, 1)
            .await
            .expect("read")
            .is_empty()
    );
    world
        .execute("UPDATE policy_approvals SET withdrawn_at = NULL")
        .await;
    assert!(
        store
            .approvals_of(&wider, 1)
            .await
            .expect("read")
            .is_empty()
    );
}

async fn the_trail_of_the_installation_is_verified(database: TestDatabase) {
    let world = World::on(database).await;
    for text in ["a", "b", "c"] {
        world.accept(&revision(text, None)).await;
    }
    let intact = world.audit().await;
    assert_eq!((intact.events, intact.heads), (3, 3));
    assert_eq!(intact.findings, []);
    world
        .execute("UPDATE installation_events SET changes = '{}' WHERE sequence = 2")
        .await;
    let told = |report: charter_store::audit_verify::Report| {
        let findings = report.findings.iter().map(ToString::to_string);
        findings.collect::<Vec<_>>()
    };
    assert_eq!(
        told(world.audit().await),
        ["event 2 of the installation was changed, moved or inserted"]
    );
    world.execute("DELETE FROM policy_revisions").await;
    world
        .execute("DELETE FROM installation_events WHERE sequence >= 2")
        .await;
    assert_eq!(
        told(world.audit().await),
        ["the events of the installation are cut off before 3, which a head attests"]
    );
}
