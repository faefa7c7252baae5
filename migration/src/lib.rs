//! The database schema for SQLite and PostgreSQL, as reversible migrations.
//!
//! A released migration is never edited. Migrations use tables and columns but none of the service's types, which
//! change over time.
//!
//! A migration on whose schema earlier programs may still run ends with `lets_run(manager, self.name(), NEEDS)`, where
//! NEEDS is the latest migration that such a program must have. What only adds is compatible: tables, columns that may
//! be left out of an insert, indexes. What takes away comes a version later and needs the migration with which programs
//! stopped to use it (ADR 0035).

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::MigrationTrait;

mod dialect;
mod m20260901_000001_tenants;
mod m20260901_000002_audit;
mod m20261125_000003_portal;
mod m20261125_000004_portal_upkeep;
mod m20261128_000005_names_and_keys;
mod m20261128_000006_guard_lease;
mod m20261128_000007_portal_accounts;
mod m20261128_000008_policy_revisions;
mod m20261128_000009_jobs;
mod m20261129_000010_changes;
mod m20261129_000011_shared_guard;
mod m20261129_000012_replicas;
mod m20261129_000013_denials;
mod m20261129_000014_domain_policies;
mod m20261129_000015_replica_folders;
mod m20261129_000016_key_lifetimes;
mod m20261130_000017_replica_keys;
mod m20261130_000018_compatible_migrations;
mod m20261130_000019_lookup_indexes;

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20260901_000001_tenants::Migration),
            Box::new(m20260901_000002_audit::Migration),
            Box::new(m20261125_000003_portal::Migration),
            Box::new(m20261125_000004_portal_upkeep::Migration),
            Box::new(m20261128_000005_names_and_keys::Migration),
            Box::new(m20261128_000006_guard_lease::Migration),
            Box::new(m20261128_000007_portal_accounts::Migration),
            Box::new(m20261128_000008_policy_revisions::Migration),
            Box::new(m20261128_000009_jobs::Migration),
            Box::new(m20261129_000010_changes::Migration),
            Box::new(m20261129_000011_shared_guard::Migration),
            Box::new(m20261129_000012_replicas::Migration),
            Box::new(m20261129_000013_denials::Migration),
            Box::new(m20261129_000014_domain_policies::Migration),
            Box::new(m20261129_000015_replica_folders::Migration),
            Box::new(m20261129_000016_key_lifetimes::Migration),
            Box::new(m20261130_000017_replica_keys::Migration),
            Box::new(m20261130_000018_compatible_migrations::Migration),
            Box::new(m20261130_000019_lookup_indexes::Migration),
        ]
    }
}
