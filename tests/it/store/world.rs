//! What the store's tests are made of: a store on a test database, a clock that stands, a tenant.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use charter_domain::access_key::{AccessKey, SealedSecret};
use charter_domain::account::Account;
use charter_domain::audit::{Actor, AuditContext};
use charter_domain::clock::Clock;
use charter_domain::entropy::{Entropy, OsEntropy};
use charter_domain::id::{AccessKeyId, ServiceAccountId, UserId};
use charter_domain::ip_allowlist::IpAllowlist;
use charter_domain::metadata::Metadata;
use charter_domain::organization::Organization;
use charter_domain::page::PageRequest;
use charter_domain::progress::Progress;
use charter_domain::service_account::ServiceAccount;
use charter_domain::text::{Description, Name};
use charter_domain::timestamp::{self, Timestamp};
use charter_store::audit_verify::Report;
use charter_store::{Error, NewKey, NewOrganization, NewServiceAccount, Store};
use serde_json::{Value, json};
use test_support::services::TestDatabase;
use test_support::stored_tenant::StoredTenant;

/// A clock that moves when it is told to.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        noon() + Duration::from_secs(self.0.load(Ordering::SeqCst).unsigned_abs())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst).unsigned_abs())
    }
}

pub(crate) fn noon() -> Timestamp {
    timestamp::parse("2025-09-30T12:00:00Z").expect("a time")
}

/// Who makes the tests' changes: a person, whose actions keep their permissions' names.
pub(crate) fn tester() -> Actor {
    Actor::User(UserId::from_uuid(sea_orm::prelude::Uuid::nil()))
}

/// A migrated store.
pub(crate) struct World {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) database: TestDatabase,
}

/// An organization with its default account.
pub(crate) struct Organized {
    pub(crate) organization: Organization,
    pub(crate) account: Account,
}

impl World {
    pub(crate) async fn on(database: TestDatabase) -> Self {
        Self::with_entropy(database, Arc::new(OsEntropy)).await
    }

    pub(crate) async fn with_entropy(database: TestDatabase, entropy: Arc<dyn Entropy>) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(0)));
        let store = Store::open(database.config(), clock.clone(), entropy)
            .await
            .expect("an open store");
        store.migrate_up().await.expect("a migrated store");
        Self {
            store: Arc::new(store),
            clock,
            database,
        }
    }

    /// A store of its own on the database of another one.
    pub(crate) async fn on_existing(database: &TestDatabase) -> Store {
        let clock = Arc::new(TestClock(AtomicI64::new(0)));
        Store::open(database.config(), clock, Arc::new(OsEntropy))
            .await
            .expect("an open store")
    }

    /// Where the heads of the audit chains are kept.
    pub(crate) fn heads(&self) -> PathBuf {
        self.database.directory().join("audit-heads.jsonl")
    }

    /// The audit log's report, heads included.
    pub(crate) async fn audit(&self) -> Report {
        let heads = self.heads();
        let progress = Progress::default();
        let report = self.store.verify_audit(Some(&heads), &progress);
        report.await.expect("a report")
    }

    pub(crate) fn by(&self) -> AuditContext {
        AuditContext {
            actor: tester(),
            request_id: Some("request-1".to_owned()),
            policy_digest: Some("digest-1".to_owned()),
            at: self.clock.now(),
            precondition_failed: false,
        }
    }

    pub(crate) async fn organization(&self, slug: &str) -> Organized {
        let new = NewOrganization {
            name: name("Acme Corporation"),
            slug: slug.parse().expect("a slug"),
        };
        let (organization, account) = self
            .store
            .create_organization(new, &self.by())
            .await
            .expect("a new organization");
        Organized {
            organization,
            account,
        }
    }

    pub(crate) fn tenant(&self, organization: &Organization) -> StoredTenant<'_> {
        StoredTenant::of(&self.store, organization)
    }

    pub(crate) async fn service_account(&self, at: &Organized, called: &str) -> ServiceAccount {
        self.tenant(&at.organization)
            .by(&self.by())
            .create_service_account(new_service_account(at, called))
            .await
            .expect("a new service account")
    }

    pub(crate) fn new_key(&self) -> NewKey {
        Self::key_of_id(AccessKeyId::generate(self.clock.now(), &OsEntropy))
    }

    /// A key that is the same in every test.
    pub(crate) fn numbered_key(number: u128) -> NewKey {
        Self::key_of_id(AccessKeyId::from_uuid(sea_orm::prelude::Uuid::from_u128(
            number,
        )))
    }

    fn key_of_id(id: AccessKeyId) -> NewKey {
        NewKey {
            id,
            access_key: format!("sa_test_{id}"),
            secret: SealedSecret {
                sealing_key_id: "kek-1".to_owned(),
                bytes: b"sealed bytes, opaque here".to_vec(),
            },
            description: description("ci"),
            ip_allowlist: IpAllowlist::default(),
            expires_at: None,
        }
    }

    pub(crate) async fn key(&self, organization: &Organization, of: ServiceAccountId) -> AccessKey {
        self.create_key(organization, of, self.new_key()).await
    }

    /// A key that is the same in every test.
    pub(crate) async fn key_with(
        &self,
        organization: &Organization,
        of: ServiceAccountId,
        number: u128,
    ) -> AccessKey {
        self.create_key(organization, of, Self::numbered_key(number))
            .await
    }

    async fn create_key(
        &self,
        organization: &Organization,
        of: ServiceAccountId,
        new: NewKey,
    ) -> AccessKey {
        self.tenant(organization)
            .by(&self.by())
            .create_key(of, new, |_| Ok::<_, Error>(()))
            .await
            .expect("a new key")
    }
}

pub(crate) fn new_service_account(at: &Organized, called: &str) -> NewServiceAccount {
    NewServiceAccount {
        account_id: at.account.id,
        name: name(called),
        description: description("for tests"),
        roles: vec!["viewer".to_owned()],
        permissions: vec!["organizations:GetOrganization".to_owned()],
        metadata: metadata(json!({"team": "platform"})),
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

pub(crate) fn description(text: &str) -> Description {
    Description::parse(text).expect("a description")
}

pub(crate) fn metadata(value: Value) -> Metadata {
    match value {
        Value::Object(object) => Metadata::new(object).expect("metadata within the limits"),
        _ => panic!("the test gives an object"),
    }
}

pub(crate) fn first_page<Order>(order: Order) -> PageRequest<Order> {
    PageRequest {
        page: 1,
        quantity: 100,
        order,
        descending: false,
    }
}
