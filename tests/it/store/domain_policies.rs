//! Revisions and approvals of domains: kept beside those of the built-in one, by name.

use charter_store::{Error, LastRevision, NewPolicyApproval, NewPolicyRevision};
use test_support::services::TestDatabase;

use super::policies::revision;
use super::world::World;

test_support::on_both_engines![
    each_domain_has_its_own_revisions,
    an_approval_is_for_one_step_of_one_domain,
    a_row_of_another_domain_is_not_known,
    a_row_is_not_the_last_one_where_a_later_one_was_removed,
];

impl World {
    async fn accept_of(&self, domain: &str, new: &NewPolicyRevision) -> i64 {
        let domain = Some(domain).filter(|name| !name.is_empty());
        let accepted = self.store.accept_policies(domain, new, &self.by()).await;
        accepted.expect("recorded")
    }

    async fn last_of(&self, domain: &str) -> LastRevision {
        let domain = Some(domain).filter(|name| !name.is_empty());
        let last = self.store.last_policy_revision(domain).await;
        last.expect("read")
    }
}

async fn each_domain_has_its_own_revisions(database: TestDatabase) {
    let world = World::on(database).await;
    let (one, other) = (revision("a", Some(3)), revision("b", None));
    assert_eq!(world.accept_of("", &one).await, 1);
    assert_eq!(world.last_of("records").await, LastRevision::None);
    assert_eq!(world.accept_of("records", &one).await, 2);
    assert_eq!(world.accept_of("todo", &other).await, 3);
    // The same again is no other one, whatever came of others.
    assert_eq!(world.accept_of("records", &one).await, 2);
    assert_eq!(world.accept_of("", &one).await, 1);
    for (domain, sequence, new) in [("", 1, &one), ("records", 2, &one), ("todo", 3, &other)] {
        let LastRevision::Known(last, texts) = world.last_of(domain).await else {
            panic!("`{domain}` is not known");
        };
        assert_eq!((last.sequence, &texts), (sequence, &new.files));
    }
    assert_eq!(world.accept_of("records", &other).await, 4);
    let store = &world.store;
    let found = store.policies_of_digest(Some("records"), &one.policy_digest);
    let (found, _) = found.await.expect("read").expect("known");
    assert_eq!(found.sequence, 2);
    let found = store.policies_of_digest(Some("todo"), &one.policy_digest);
    assert_eq!(found.await.expect("read"), None);
    let history = store.policy_history(Some("records"), None, 10);
    let history = history.await.expect("read");
    let numbers: Vec<i64> = history.spans.iter().map(|span| span.sequence).collect();
    assert_eq!(numbers, [4, 2]);
    assert_eq!(world.audit().await.findings, []);
}

async fn an_approval_is_for_one_step_of_one_domain(database: TestDatabase) {
    let world = World::on(database).await;
    let (first, wider) = (revision("a", None), revision("b", None));
    world.accept_of("", &first).await;
    let base = world.accept_of("records", &first).await;
    let approve = async |domain, base| {
        let new: NewPolicyApproval = World::approval(&wider.whole_digest, base, "alice");
        let id = new.id;
        let approved = world.store.approve_policies(domain, new, &world.by()).await;
        approved.map(|()| id)
    };
    for (domain, base) in [(Some("records"), 1), (None, base), (Some("todo"), base)] {
        let stale = approve(domain, base).await;
        assert!(matches!(stale, Err(Error::Stale)), "{domain:?}");
    }
    approve(Some("records"), base).await.expect("recorded");
    let of = async |base| {
        let approvals = world.store.approvals_of(&wider.whole_digest, base).await;
        approvals.expect("read").len()
    };
    assert_eq!((of(base).await, of(1).await), (1, 0));
    // Nor can its row be moved to another domain.
    let moved = "UPDATE policy_approvals SET domain = ";
    world.execute(&format!("{moved}'todo'")).await;
    assert_eq!(of(base).await, 0);
    world.execute(&format!("{moved}'records'")).await;
    assert_eq!(world.accept_of("records", &wider).await, 3);
    let history = world.store.policy_history(Some("records"), None, 1).await;
    let history = history.expect("read");
    let span = &history.spans[0];
    assert_eq!((span.sequence, span.approvals.len()), (3, 1));
    assert_eq!(span.approvals[0].domain.as_deref(), Some("records"));
    // Withdrawn by its id, whose ever it is.
    let base = world.accept_of("records", &first).await;
    let id = approve(Some("records"), base).await.expect("recorded");
    let withdrawn = world.store.withdraw_approval(id, &world.by()).await;
    withdrawn.expect("withdrawn");
    assert_eq!(of(base).await, 0);
}

async fn a_row_is_not_the_last_one_where_a_later_one_was_removed(database: TestDatabase) {
    let world = World::on(database).await;
    for domain in ["", "records"] {
        world.accept_of(domain, &revision("a", None)).await;
        let removed = world.accept_of(domain, &revision("b", None)).await;
        world.accept_of("todo", &revision(domain, None)).await;
        world
            .execute(&format!(
                "DELETE FROM policy_revisions WHERE sequence = {removed}"
            ))
            .await;
        let last = world.last_of(domain).await;
        assert!(
            matches!(last, LastRevision::Unknown(_)),
            "`{domain}`: {last:?}"
        );
    }
    assert!(matches!(
        world.last_of("todo").await,
        LastRevision::Known(..)
    ));
}

async fn a_row_of_another_domain_is_not_known(database: TestDatabase) {
    let world = World::on(database).await;
    world.accept_of("", &revision("a", None)).await;
    world.accept_of("records", &revision("b", None)).await;
    world.accept_of("records", &revision("c", None)).await;
    for domain in ["", "todo"] {
        let change = "UPDATE policy_revisions SET domain =";
        world
            .execute(&format!("{change} '{domain}' WHERE sequence = 3"))
            .await;
        assert_eq!(world.last_of(domain).await, LastRevision::Unknown(3));
        world
            .execute(&format!("{change} 'records' WHERE sequence = 3"))
            .await;
    }
    assert!(matches!(
        world.last_of("records").await,
        LastRevision::Known(..)
    ));
    // A domain that had revisions is not a new one.
    world
        .execute("DELETE FROM policy_revisions WHERE domain = 'records'")
        .await;
    assert_eq!(world.last_of("records").await, LastRevision::Unknown(0));
    assert_eq!(world.last_of("todo").await, LastRevision::None);
    assert!(matches!(world.last_of("").await, LastRevision::Known(..)));
}
