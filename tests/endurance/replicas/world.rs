//! The replicas, what they stand on, and what may befall each.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sea_orm::ConnectionTrait as _;
use test_support::cluster::Cluster;
use test_support::process::{Charter, Home};
use test_support::services::connect;
use test_support::services::faults::Faults;
use test_support::services::link::{Link, Passage};
use test_support::services::private_postgres::PrivatePostgres;
use test_support::services::redis::Redis;

use crate::ledger::Ledger;

/// How long a fault lasts. Longer than a second, for which what is in memory may be used.
const LASTS: Duration = Duration::from_secs(2);
const SLOW: Duration = Duration::from_millis(500);
/// How long the standby follows no more before it is promoted.
const BEHIND: Duration = Duration::from_millis(300);
/// How far a clock is set wrong, in seconds.
const STEP: i64 = 3_600;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Replica,
    Postgres,
    Redis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Kill,
    Pause,
    /// Stopped as an operator does, and started.
    Restart,
    CutOff,
    Slow,
    /// `FLUSHALL`, of Redis only.
    Empty,
    /// The clock of a replica is an hour ahead.
    ClockAhead,
    /// It is an hour behind.
    ClockBehind,
    /// Nothing more can be written to a replica's directory, or to the write-ahead log of PostgreSQL.
    DiskFull,
    /// PostgreSQL dies, and a standby that lacks the latest writes is promoted.
    Promote,
    /// The same with a standby that commits wait for.
    PromoteSynchronous,
}

impl Fault {
    /// Of links or a clock: whatever else befalls the part may befall it as well.
    pub(crate) const fn is_beside(self) -> bool {
        matches!(
            self,
            Self::CutOff | Self::Slow | Self::ClockAhead | Self::ClockBehind
        )
    }
}

pub(crate) const ALL: [(Part, Fault); 22] = [
    (Part::Replica, Fault::DiskFull),
    (Part::Replica, Fault::ClockAhead),
    (Part::Replica, Fault::ClockBehind),
    (Part::Postgres, Fault::DiskFull),
    (Part::Postgres, Fault::Promote),
    (Part::Postgres, Fault::PromoteSynchronous),
    (Part::Replica, Fault::Kill),
    (Part::Replica, Fault::Pause),
    (Part::Replica, Fault::Restart),
    (Part::Replica, Fault::CutOff),
    (Part::Replica, Fault::Slow),
    (Part::Postgres, Fault::Kill),
    (Part::Postgres, Fault::Pause),
    (Part::Postgres, Fault::Restart),
    (Part::Postgres, Fault::CutOff),
    (Part::Postgres, Fault::Slow),
    (Part::Redis, Fault::Kill),
    (Part::Redis, Fault::Pause),
    (Part::Redis, Fault::Restart),
    (Part::Redis, Fault::CutOff),
    (Part::Redis, Fault::Slow),
    (Part::Redis, Fault::Empty),
];

/// Where clients find the replicas now.
pub(crate) type Addresses = Arc<Mutex<[SocketAddr; 2]>>;

pub(crate) struct World {
    pub(crate) cluster: Cluster<Redis>,
    postgres: PrivatePostgres,
    standby: PrivatePostgres,
    /// What the standby follows.
    stream: Link,
    /// Whether what is acknowledged may be lost with the primary.
    pub(crate) is_behind: Arc<AtomicBool>,
    /// Whether it ever was so.
    was_behind: bool,
    /// Accounts that no standby had when it was promoted.
    pub(crate) lost: BTreeSet<String>,
    /// Of each replica.
    to_postgres: [Link; 2],
    to_redis: [Link; 2],
    charters: [Option<Charter>; 2],
    pub(crate) addresses: Addresses,
}

impl World {
    /// `None` where PostgreSQL, Redis or a C compiler is not installed.
    pub(crate) async fn start() -> Option<Self> {
        let postgres = PrivatePostgres::start(None)?.with_faults()?;
        postgres.recover();
        let stream = Link::to(postgres.port()).await;
        let standby = postgres.standby(stream.address().port());
        let redis = Redis::start()?;
        let link = Link::to;
        let to_postgres = [link(postgres.port()).await, link(postgres.port()).await];
        let to_redis = [link(redis.port()).await, link(redis.port()).await];
        let own = [Home::new().with_faults()?, Home::new()];
        let mut numbers = 0..;
        let homes = own.map(|home| {
            let n: usize = numbers.next().expect("a number");
            let port = to_postgres[n].address().port();
            let url = PrivatePostgres::url("127.0.0.1", port, "sslmode=disable");
            let redis = format!("redis://{}", to_redis[n].address());
            home.with("CHARTER__DATABASE__URL", &url)
                .with("CHARTER__DATABASE__STATEMENT_TIMEOUT", "1s")
                .with("CHARTER__REPLAY__URL", &redis)
                .with("CHARTER__BUDGETS__WRITES_PER_HOUR", "100000000")
        });
        let permissions = [
            "accounts:CreateAccount",
            "service-accounts:GetServiceAccount",
            "service-accounts:UpdateServiceAccount",
        ];
        let cluster = Cluster::of(redis, homes, &permissions);
        let charters = cluster.serve();
        let addresses = Arc::new(Mutex::new([charters[0].main, charters[1].main]));
        Some(Self {
            cluster,
            postgres,
            standby,
            stream,
            is_behind: Arc::default(),
            was_behind: false,
            lost: BTreeSet::new(),
            to_postgres,
            to_redis,
            charters: charters.map(Some),
            addresses,
        })
    }

    /// The database's, whatever becomes of links.
    pub(crate) fn url(&self) -> String {
        self.postgres.own_url()
    }

    /// All begin, last for two seconds, and end.
    pub(crate) async fn suffer(&mut self, faults: &[(Part, Fault)]) {
        for fault in faults {
            self.begin(*fault).await;
        }
        tokio::time::sleep(LASTS).await;
        if let [(part, Fault::DiskFull)] = faults {
            assert!(self.faults(*part).failed() > 0, "nothing was written");
        }
        // What replicas stand on comes back first, so that one that starts finds it.
        let mut faults = faults.to_vec();
        faults.sort_by_key(|(part, fault)| (!fault.is_beside(), *part == Part::Replica));
        for fault in faults {
            self.end(fault).await;
        }
    }

    /// Of replicas, the first.
    fn charter(&self) -> &Charter {
        self.charters[0].as_ref().expect("it runs")
    }

    fn links(&self, part: Part) -> Vec<&Link> {
        match part {
            Part::Replica => vec![&self.to_postgres[0], &self.to_redis[0]],
            Part::Postgres => self.to_postgres.iter().collect(),
            Part::Redis => self.to_redis.iter().collect(),
        }
    }

    fn set(&self, part: Part, passage: Passage) {
        for link in self.links(part) {
            link.set(passage);
        }
    }

    async fn begin(&mut self, fault: (Part, Fault)) {
        match fault {
            (part, Fault::CutOff) => self.set(part, Passage::Cut),
            (part, Fault::Slow) => self.set(part, Passage::Slow(SLOW)),
            (Part::Replica, Fault::DiskFull) => self.faults(fault.0).fill("*/data/*"),
            (Part::Postgres, Fault::DiskFull) => self.faults(fault.0).fill("*/pg_wal/*"),
            (Part::Replica, Fault::Kill) => self.charters[0].take().expect("it runs").kill(),
            (Part::Replica, Fault::Restart) => self.charter().terminate(),
            (Part::Replica, Fault::ClockAhead) => self.step_clock(STEP),
            (Part::Replica, Fault::ClockBehind) => self.step_clock(-STEP),
            (Part::Replica, _) => self.charter().signal("STOP"),
            (Part::Postgres, Fault::Pause) => self.postgres.pause(),
            (Part::Postgres, Fault::Restart) => self.postgres.stop(),
            (Part::Postgres, Fault::Promote | Fault::PromoteSynchronous) => {
                self.lose_primary(fault.1 == Fault::PromoteSynchronous)
                    .await;
            }
            (Part::Postgres, _) => self.postgres.kill(),
            (Part::Redis, Fault::Pause) => self.cluster.redis.pause(),
            (Part::Redis, Fault::Empty) => {
                self.cluster.redis.ask("FLUSHALL");
            }
            (Part::Redis, Fault::Restart) => {
                self.cluster.redis.ask("SHUTDOWN");
            }
            (Part::Redis, _) => self.cluster.redis.kill(),
        }
    }

    async fn end(&mut self, fault: (Part, Fault)) {
        match fault {
            (part, Fault::CutOff | Fault::Slow) => self.set(part, Passage::Open),
            (Part::Replica, Fault::DiskFull) => self.faults(fault.0).stop(),
            (Part::Postgres, Fault::DiskFull) => {
                self.faults(fault.0).stop();
                // It has given up, as it must.
                self.postgres.recover();
            }
            (Part::Replica, Fault::Pause) => self.charter().signal("CONT"),
            (Part::Replica, Fault::ClockAhead | Fault::ClockBehind) => self.step_clock(0),
            (Part::Replica, _) => self.start_again(),
            (Part::Postgres, Fault::Pause) => self.postgres.resume(),
            (Part::Postgres, Fault::Promote | Fault::PromoteSynchronous) => self.promote().await,
            (Part::Postgres, _) => self.postgres.start_again(),
            (Part::Redis, Fault::Pause) => self.cluster.redis.resume(),
            (Part::Redis, Fault::Empty) => {}
            (Part::Redis, _) => self.cluster.redis.restart(),
        }
    }

    fn faults(&self, part: Part) -> &Faults {
        match part {
            Part::Postgres => self.postgres.faults(),
            _ => self.cluster.homes[0].faults(),
        }
    }

    fn step_clock(&self, seconds: i64) {
        self.faults(Part::Replica).step_clock(seconds);
    }

    /// As a proxy does, links are cut, and lead elsewhere later.
    async fn lose_primary(&mut self, is_synchronous: bool) {
        self.is_behind.store(!is_synchronous, Ordering::SeqCst);
        self.was_behind |= !is_synchronous;
        self.postgres.wait_until_followed().await;
        if is_synchronous {
            let connection = connect(&self.url()).await;
            for text in [
                "ALTER SYSTEM SET synchronous_standby_names = '*'",
                "SELECT pg_reload_conf()",
            ] {
                connection.execute_unprepared(text).await.expect("set");
            }
        } else {
            self.stream.set(Passage::Cut);
        }
        tokio::time::sleep(BEHIND).await;
        self.set(Part::Postgres, Passage::Cut);
        self.postgres.kill();
    }

    async fn promote(&mut self) {
        self.set(Part::Postgres, Passage::Cut);
        self.standby.promote();
        for link in &self.to_postgres {
            link.lead_to(self.standby.port());
        }
        self.postgres.start_again();
        let had = Ledger::of(&self.postgres.own_url()).await.accounts;
        let has = Ledger::of(&self.standby.own_url()).await.accounts;
        let lost = had.into_keys().filter(|name| !has.contains_key(name));
        self.lost.extend(lost);
        self.stream.lead_to(self.standby.port());
        self.stream.set(Passage::Open);
        let next = self.standby.standby(self.stream.address().port());
        self.postgres = std::mem::replace(&mut self.standby, next);
        self.set(Part::Postgres, Passage::Open);
        self.is_behind.store(false, Ordering::SeqCst);
    }

    /// Blocks, while clients and links go on.
    fn start_again(&mut self) {
        if let Some(stopped) = self.charters[0].take() {
            let (status, _) = stopped.ended();
            assert_eq!(status.code(), Some(0), "{}", self.cluster.homes[0].log());
        }
        let cluster = &self.cluster;
        let charter = cluster.homes[0].start(&["serve", &cluster.config]);
        self.addresses.lock()[0] = charter.main;
        self.charters[0] = Some(charter);
    }

    /// The chains of audit events are whole; the heads say what was acknowledged and is lost.
    pub(crate) fn stop(self, is_anything_lost: bool) {
        for charter in self.charters.into_iter().flatten() {
            charter.stop();
        }
        let cluster = &self.cluster;
        let no_heads = cluster.homes[0].file("no-heads");
        std::fs::write(&no_heads, "").expect("written");
        let no_heads = format!("--heads={}", no_heads.display());
        let verify = ["audit", &cluster.config, "verify"];
        let whole = cluster.homes[0].run(&[&verify[..], &[&no_heads]].concat());
        assert_eq!(whole.code, Some(0), "{whole:?}");
        let told = [0, 1].map(|n| cluster.homes[n].run(&verify));
        assert!(
            told.iter().all(|it| matches!(it.code, Some(0 | 1))),
            "{told:?}"
        );
        let is_told = told.iter().any(|it| it.code == Some(1));
        assert!(is_told || !is_anything_lost, "{told:?}");
        assert!(self.was_behind || !is_told, "{told:?}");
    }
}
