//! The scenarios: their requests, and what they are compared with.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process;

use crate::arguments::{Arguments, Scenario};
use crate::bare;
use crate::charter::{Charter, Client};
use crate::compare::{Side, compare};
use crate::durable;
use crate::load::{self, Measured, Plan};
use crate::memory;
use crate::person;
use crate::report::Row;
use crate::requests::{bearer_reads, changes, reads};
use crate::tenants::Tenants;

const OPEN_LOOP_SECONDS: usize = 3;
/// Longer than a round.
const SECONDS_BESIDE: usize = 60;
const CROWD: usize = 64;

pub(crate) struct Bench<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) server: &'a Charter,
    pub(crate) tenants: &'a Tenants,
}

/// Generates so many requests.
type Requests<'a> = &'a dyn Fn(usize) -> Vec<Vec<u8>>;

impl Bench<'_> {
    pub(crate) fn run(&self, scenario: Scenario) -> Row {
        let (keys, host) = (&self.tenants.keys, &self.server.host);
        let of_each = &keys[..self.tenants.organizations.min(keys.len())];
        let signed = |keys| move |count| reads(keys, host, count);
        let bearer = |tokens| move |count| bearer_reads(tokens, host, count);
        let one = &keys[..1];
        match scenario {
            Scenario::SignedOne => self.reads(scenario, &signed(one), &Plan::run),
            Scenario::SignedMany => {
                let memory = memory::of_keys(self.server, self.tenants);
                let mut row = self.reads(scenario, &signed(keys), &Plan::run);
                row.notes.push(memory);
                row
            }
            Scenario::SignedBesideWrites => {
                let written = RefCell::new(Vec::new());
                let beside_writes = |plan: Plan| {
                    let (read, writes) = self.writes(&of_each[1..]).run_beside(|| plan.run());
                    written.borrow_mut().push(writes);
                    read
                };
                let mut row = self.reads(scenario, &signed(one), &beside_writes);
                row.notes.push(note(&written.take()));
                row
            }
            Scenario::BearerOne => {
                self.reads(scenario, &bearer(&self.tenants.tokens(1)), &Plan::run)
            }
            Scenario::BearerMany => {
                let tokens = self.tenants.tokens(usize::MAX);
                memory::use_sessions(self.server, &tokens);
                self.reads(scenario, &bearer(&tokens), &Plan::run)
            }
            Scenario::PatchOneClient => self.changes(scenario, 1, one),
            Scenario::Patch64OneOrg => self.changes(scenario, CROWD, one),
            Scenario::Patch64ManyOrgs => self.changes(scenario, CROWD, of_each),
        }
    }

    /// In closed and in open loop, compared with a bare handler with the same response.
    fn reads(
        &self,
        scenario: Scenario,
        requests: Requests<'_>,
        run: &dyn Fn(Plan) -> Measured,
    ) -> Row {
        let first = requests(1).concat();
        let bare = bare::start(&person::exchange(&self.server.host, &first).body);
        let compared = |rate: Option<u32>| {
            let count = rate.map_or(self.arguments.reads, |rate| {
                rate as usize * OPEN_LOOP_SECONDS
            });
            let plan = move |host: &str| Plan {
                host: host.to_owned(),
                connections: self.arguments.connections,
                rate,
                requests: requests(count),
            };
            let sides = [
                Side {
                    name: "Charter",
                    process: self.server.id(),
                    measure: Box::new(move || run(plan(&self.server.host))),
                },
                Side {
                    name: "bare handler",
                    process: bare.id(),
                    measure: Box::new(|| plan(&bare.host).run()),
                },
            ];
            compare(self.arguments.rounds, &sides)
        };
        let closed = compared(None);
        Row {
            scenario,
            closed,
            open: Some(compared(Some(self.arguments.rate))),
            notes: Vec::new(),
        }
    }

    /// Signed changes, compared with a bare durable UPDATE.
    fn changes(&self, scenario: Scenario, connections: usize, keys: &[Client]) -> Row {
        let (host, writes) = (&self.server.host, self.arguments.writes);
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("bare.db");
        let sides = [
            Side {
                name: "Charter",
                process: self.server.id(),
                measure: Box::new(|| load::run(host, &changes(keys, host, writes), connections)),
            },
            Side {
                name: "bare UPDATE",
                process: process::id(),
                measure: Box::new(|| durable::updates(&file, writes)),
            },
        ];
        Row {
            scenario,
            closed: compare(self.arguments.rounds, &sides),
            open: None,
            notes: Vec::new(),
        }
    }

    /// Changes of organizations at a fixed rate, for longer than a round.
    fn writes(&self, keys: &[Client]) -> Plan {
        let (host, rate) = (&self.server.host, self.arguments.write_rate);
        Plan {
            host: host.clone(),
            connections: CROWD,
            rate: Some(rate),
            requests: changes(keys, host, rate as usize * SECONDS_BESIDE),
        }
    }
}

/// The worst figures of all runs.
fn note(runs: &[Measured]) -> String {
    let rates = runs.iter().map(|run| run.rate);
    let rate = rates.fold(f64::INFINITY, f64::min);
    let p99 = runs.iter().map(|run| run.p99).max().unwrap_or_default();
    let mut errors = BTreeMap::new();
    for (what, times) in runs.iter().flat_map(|run| &run.errors) {
        *errors.entry(what).or_insert(0) += times;
    }
    format!(
        "beside it at least {rate:.0} changes a second, p99 at most {p99:.1?}, other answers {errors:?}"
    )
}
