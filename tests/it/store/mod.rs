//! The store's promises, each on both engines.

mod access_keys;
mod accounts;
mod audit;
mod audit_chain;
mod audit_feed;
mod audit_tampering;
mod changes;
mod changes_model;
mod credentials;
mod crowds;
mod faults;
mod files;
mod heads;
mod isolation;
mod lists;
mod migrations;
mod names;
mod network;
mod organizations;
mod people;
mod policies;
mod process;
mod service_accounts;
mod transcript;
mod world;
mod writer_faults;
