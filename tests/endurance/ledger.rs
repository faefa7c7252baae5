//! What the database says became of writes, read beside the service.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::Value;
use test_support::process::Home;
use test_support::services::connect;

use super::load::Write;

/// An audit event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) changes: Value,
}

/// A service account that a test deletes, by its name.
#[derive(Debug)]
pub(crate) struct Doomed {
    pub(crate) is_deleted: bool,
    pub(crate) keys: usize,
    pub(crate) revoked_keys: usize,
}

const DOOMED: &str = "SELECT COUNT(s.deleted_at), COUNT(k.id), COUNT(k.revoked_at)
    FROM service_accounts s JOIN access_keys k ON k.service_account_id = s.id
    WHERE s.name = 'doomed' GROUP BY s.id";

/// The whole of the database that these tests look at.
pub(crate) struct Ledger {
    /// In the order of their chain.
    pub(crate) events: Vec<Event>,
    /// How often an account of that name is there.
    pub(crate) accounts: BTreeMap<String, usize>,
    /// The organization's.
    pub(crate) name: String,
    /// Those that have keys.
    pub(crate) doomed: Vec<Doomed>,
    /// Mails that are still to be sent.
    pub(crate) waiting_mails: usize,
}

impl Ledger {
    /// Reads it; a SQLite file must be sound.
    pub(crate) async fn read(home: &Home) -> Self {
        Self::of(&home.database_url()).await
    }

    /// Reads the database with this address.
    pub(crate) async fn of(url: &str) -> Self {
        let connection = connect(url).await;
        let rows = async |sql: &str| {
            let statement = Statement::from_string(connection.get_database_backend(), sql);
            connection.query_all_raw(statement).await.expect("rows")
        };
        if connection.get_database_backend() == DbBackend::Sqlite {
            let check = rows("PRAGMA integrity_check").await;
            let verdict: String = check[0].try_get_by_index(0).expect("a verdict");
            assert_eq!(verdict, "ok");
        }
        let mut accounts = BTreeMap::new();
        for row in rows("SELECT name FROM accounts").await {
            *accounts
                .entry(row.try_get_by_index(0).expect("a name"))
                .or_default() += 1;
        }
        let events =
            rows("SELECT action, resource, changes FROM audit_events ORDER BY sequence").await;
        let events = events.iter().map(|row| {
            let text = |index| row.try_get_by_index::<String>(index).expect("text");
            let changes = serde_json::from_str(&text(2)).expect("JSON");
            Event {
                action: text(0),
                resource: text(1),
                changes,
            }
        });
        let organization = rows("SELECT name FROM organizations WHERE slug = 'acme'").await;
        let doomed = rows(DOOMED).await;
        let doomed = doomed.iter().map(|row| {
            let count = |index| {
                let count: i64 = row.try_get_by_index(index).expect("a count");
                usize::try_from(count).expect("a small one")
            };
            Doomed {
                is_deleted: count(0) > 0,
                keys: count(1),
                revoked_keys: count(2),
            }
        });
        let waiting_mails = rows("SELECT id FROM jobs").await.len();
        let ledger = Self {
            waiting_mails,
            doomed: doomed.collect(),
            events: events.collect(),
            accounts,
            name: organization[0].try_get_by_index(0).expect("a name"),
        };
        connection.close().await.expect("closed");
        ledger
    }

    /// Every account has exactly one event, every event its account, and the organization's name
    /// is what the chain of its changes says, each from where the one before it left off.
    pub(crate) fn assert_consistent(&self) {
        let mut made = BTreeMap::<String, usize>::new();
        let mut resources = std::collections::BTreeSet::new();
        let mut name: Option<&str> = None;
        for event in &self.events {
            if event.action == "accounts:CreateAccount" {
                assert!(resources.insert(&event.resource), "two events: {event:?}");
                let of = event.changes["after"]["name"].as_str().expect("a name");
                *made.entry(of.to_owned()).or_default() += 1;
            }
            if event.action == "organizations:UpdateOrganization" {
                let before = event.changes["before"]["name"].as_str();
                assert!(name.is_none() || name == before, "{event:?} after {name:?}");
                name = event.changes["after"]["name"].as_str();
            }
        }
        assert!(
            name.is_none_or(|name| name == self.name),
            "{name:?}, but {}",
            self.name
        );
        let mut accounts = self.accounts.clone();
        // Others come with their organizations.
        for names in [&mut made, &mut accounts] {
            names.retain(|name, _| name.contains("write"));
        }
        assert_eq!(made, accounts);
    }

    /// What was acknowledged is there once, and what was not at most once.
    pub(crate) fn assert_kept(&self, writes: &[Write]) {
        let mut renamed = BTreeMap::<&str, usize>::new();
        for event in &self.events {
            if event.action == "organizations:UpdateOrganization"
                && let Some(name) = event.changes["after"]["name"].as_str()
            {
                *renamed.entry(name).or_default() += 1;
            }
        }
        for write in writes {
            let name = &write.name;
            let renamed = renamed.get(name.as_str()).copied().unwrap_or_default();
            let times = self.accounts_named(name) + renamed;
            let expected = if write.acknowledged { 1..=1 } else { 0..=1 };
            assert!(expected.contains(&times), "`{name}` is there {times} times");
        }
    }

    /// How often the organization was given this name.
    pub(crate) fn renamed_to(&self, name: &str) -> usize {
        let given = |event: &&Event| {
            event.action == "organizations:UpdateOrganization"
                && event.changes["after"]["name"] == name
        };
        self.events.iter().filter(given).count()
    }

    /// How often the deletion of the service account with this id is recorded.
    pub(crate) fn deletions_of(&self, id: &str) -> usize {
        let deleted = |event: &&Event| {
            event.action == "service-accounts:DeleteServiceAccount" && event.resource == id
        };
        self.events.iter().filter(deleted).count()
    }

    /// How many accounts of this name were made.
    pub(crate) fn accounts_named(&self, name: &str) -> usize {
        self.accounts.get(name).copied().unwrap_or_default()
    }
}
