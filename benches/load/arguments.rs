//! The arguments of the benchmark.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::tenants::Amounts;

/// Load on the service, in turns with a bare Salvo handler or a bare durable UPDATE
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// All of them if none is named
    #[arg(value_enum)]
    pub(crate) scenarios: Vec<Scenario>,
    #[command(flatten)]
    pub(crate) amounts: Amounts,
    /// Another build of `charter` than this one
    #[arg(long, default_value = env!("CARGO_BIN_EXE_charter"))]
    pub(crate) program: PathBuf,
    /// Rounds that count, after one that warms up
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Connections of reads
    #[arg(long, default_value_t = 32)]
    pub(crate) connections: usize,
    /// Reads in a round of closed loop
    #[arg(long, default_value_t = 40_000)]
    pub(crate) reads: usize,
    /// Writes in a round
    #[arg(long, default_value_t = 2_000)]
    pub(crate) writes: usize,
    /// Reads a second in open loop, three seconds a round
    #[arg(long, default_value_t = 5_000)]
    pub(crate) rate: u32,
    /// Writes a second beside the reads
    #[arg(long, default_value_t = 200)]
    pub(crate) write_rate: u32,
    /// Serves this body as the bare handler
    #[arg(long, hide = true)]
    pub(crate) bare_server: Option<String>,
    /// Passed by cargo to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Signed reads with one key
    SignedOne,
    /// Signed reads, each with a key chosen at random; and memory for each key
    SignedMany,
    /// Signed reads with one key while others change their organizations
    SignedBesideWrites,
    /// Reads with one person's access token
    BearerOne,
    /// Reads, each with the access token of a person chosen at random
    BearerMany,
    /// Signed changes, one after the other
    PatchOneClient,
    /// Signed changes of one organization by 64 clients
    #[value(name = "patch-64-one-org")]
    Patch64OneOrg,
    /// Signed changes of organizations chosen at random by 64 clients
    #[value(name = "patch-64-many-orgs")]
    Patch64ManyOrgs,
}

impl Scenario {
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("none is skipped");
        value.get_name().to_owned()
    }

    /// The scenario of the same kind to compare with.
    pub(crate) const fn first_of_kind(self) -> Self {
        match self {
            Self::SignedOne | Self::SignedMany | Self::SignedBesideWrites => Self::SignedOne,
            Self::BearerOne | Self::BearerMany => Self::BearerOne,
            of_its_own => of_its_own,
        }
    }
}

impl Arguments {
    pub(crate) fn scenarios(&self) -> &[Scenario] {
        if self.scenarios.is_empty() {
            Scenario::value_variants()
        } else {
            &self.scenarios
        }
    }
}
