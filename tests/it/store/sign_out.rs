//! An operator ends sessions: of one user, of an organization, of all.

use charter_domain::id::UserId;
use test_support::service::{Persona as _, Service, TeamRole};
use test_support::services::TestDatabase;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_end_for_a_user_an_organization_and_all() {
    Box::pin(sessions_end(TestDatabase::sqlite())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_end_for_a_user_an_organization_and_all_on_postgres() {
    if let Some(database) = TestDatabase::empty_postgres().await {
        Box::pin(sessions_end(database)).await;
    }
}

async fn sessions_end(database: TestDatabase) {
    let service = Service::on(database).await;
    let (acme, other) = (
        service.organization("acme").await,
        service.organization("other").await,
    );
    let owner = acme.person(TeamRole::Owner).await;
    let member = acme.person(TeamRole::Member).await;
    let stranger = other.person(TeamRole::Owner).await;
    let is_open = async |person: &test_support::service::Person| {
        let answer = person.get("/api/portal/me").await;
        if answer.status != 200 {
            answer.assert_refused(401, "INVALID_TOKEN");
            person.refresh().await.assert_refused(401, "INVALID_TOKEN");
        }
        answer.status == 200
    };
    let (store, by) = (service.store(), service.operator());
    let of_acme = acme.organization.id;

    let user = UserId::from_uuid(member.id.parse().expect("a UUID"));
    let ended = store.sign_out(of_acme, Some(user), &by).await;
    assert_eq!(ended.expect("ended"), 1);
    assert!(is_open(&owner).await && !is_open(&member).await);
    // Once more does no harm.
    let ended = store.sign_out(of_acme, Some(user), &by).await;
    assert_eq!(ended.expect("none is left"), 0);

    let everywhere = store.organizations_with_sessions().await;
    let mut expected = vec![of_acme, other.organization.id];
    expected.sort_unstable();
    assert_eq!(everywhere.expect("both"), expected);
    let ended = store.sign_out(of_acme, None, &by).await;
    assert_eq!(ended.expect("ended"), 1);
    assert!(!is_open(&owner).await && is_open(&stranger).await);
    let everywhere = store.organizations_with_sessions().await;
    assert_eq!(everywhere.expect("one"), [other.organization.id]);
    service.stop().await;
}
