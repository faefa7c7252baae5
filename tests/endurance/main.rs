//! What shows only after many repetitions, under load or after kills.
//!
//! Each promise runs in a short form with all other tests. The long forms, minutes each, are the
//! ignored tests whose names end in `_in_full`: `cargo endurance` runs them one after another, `cargo faults` those of
//! `faults` alone, with their short forms. Of the longest, `CHARTER_ENDURANCE_ROUNDS=500..1000` runs a part.
#![cfg(test)]
#![expect(
    clippy::too_many_lines,
    reason = "a test tells one story, or has one table"
)]

mod changes;
mod disconnects;
mod faults;
mod forgery;
mod key_rotation;
mod kills;
mod ledger;
mod load;
mod metadata;
mod policy_conditions;
mod policy_differential;
mod policy_mutations;
mod policy_swaps;
mod portal;
mod portal_races;
mod replay;
mod replicas;
mod revocation;
mod revocation_elsewhere;
mod rounds;
mod secrecy;
mod slow_clients;
mod timing;
