//! Two audit chains to tamper with.

use charter_domain::organization::Organization;
use charter_domain::progress::Progress;
use charter_store::Error;
use charter_store::audit_verify::Finding;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, FromQueryResult, Statement};
use test_support::services::{TestDatabase, connect};

use super::world::{World, name};

#[derive(Debug, FromQueryResult)]
pub(super) struct Event {
    pub(super) sequence: i64,
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) request_id: Option<String>,
    pub(super) policy_digest: Option<String>,
    pub(super) changes: String,
}

pub(super) const OF_ACME: &str =
    "organization_id = (SELECT id FROM organizations WHERE slug = 'acme')";

/// A store with two chains: that of `acme` has seven events.
pub(super) struct Chained {
    pub(super) world: World,
    pub(super) acme: Organization,
    pub(super) database: DatabaseConnection,
}

impl Chained {
    pub(super) async fn on(database: TestDatabase) -> Self {
        let world = World::on(database).await;
        let acme = world.organization("acme").await;
        let other = world.organization("other").await;
        for organized in [&acme, &other] {
            let of = world.service_account(organized, "ci").await.id;
            let key = world.key(&organized.organization, of).await;
            let tenant = world.tenant(&organized.organization);
            world.clock.advance(1);
            rename(&world, &organized.organization, "Renamed").await;
            tenant
                .by(&world.by())
                .revoke_key(of, key.id)
                .await
                .expect("revoked");
            tenant
                .by(&world.by())
                .delete_service_account(of, None)
                .await
                .expect("deleted");
        }
        let database = connect(world.database.url()).await;
        let chained = Self {
            world,
            acme: acme.organization,
            database,
        };
        chained
            .execute("CREATE TABLE saved AS SELECT * FROM audit_events")
            .await;
        assert_eq!(chained.findings().await, []);
        chained
    }

    pub(super) async fn execute(&self, statement: &str) {
        self.database
            .execute_unprepared(statement)
            .await
            .unwrap_or_else(|error| panic!("`{statement}`: {error}"));
    }

    pub(super) async fn restore(&self) {
        self.execute("DELETE FROM audit_events").await;
        self.execute("INSERT INTO audit_events SELECT * FROM saved")
            .await;
    }

    pub(super) async fn events(&self) -> Vec<Event> {
        let sql = format!("SELECT * FROM audit_events WHERE {OF_ACME} ORDER BY sequence");
        Event::find_by_statement(Statement::from_string(
            self.database.get_database_backend(),
            sql,
        ))
        .all(&self.database)
        .await
        .expect("the events")
    }

    pub(super) async fn findings(&self) -> Vec<Finding> {
        self.world.audit().await.findings
    }

    pub(super) async fn findings_without_heads(&self) -> Vec<Finding> {
        let store = &self.world.store;
        let report = store.verify_audit(None, &Progress::default()).await;
        report.expect("a report").findings
    }

    pub(super) fn altered(&self, sequence: i64) -> Finding {
        Finding::Altered {
            organization: self.acme.id,
            sequence,
        }
    }

    pub(super) fn missing(&self, sequence: i64) -> Finding {
        Finding::Missing {
            organization: self.acme.id,
            sequence,
        }
    }

    pub(super) fn cut_off(&self, sequence: i64) -> Finding {
        Finding::CutOff {
            organization: self.acme.id,
            sequence,
        }
    }

    pub(super) fn other_head(&self, sequence: i64) -> Finding {
        Finding::OtherHead {
            organization: self.acme.id,
            sequence,
        }
    }
}

pub(super) async fn rename(world: &World, organization: &Organization, to: &str) {
    let to = name(to);
    world
        .tenant(organization)
        .by(&world.by())
        .update_organization(None, |organization| {
            organization.name = to;
            Ok::<_, Error>(())
        })
        .await
        .expect("renamed");
}
