//! The replicas, what they stand on, and what may befall each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use test_support::cluster::Cluster;
use test_support::process::{Charter, Home};
use test_support::services::link::{Link, Passage};
use test_support::services::private_postgres::PrivatePostgres;
use test_support::services::redis::Redis;

/// How long a fault lasts. Longer than a second, for which what is in memory may be used.
const LASTS: Duration = Duration::from_secs(2);
const SLOW: Duration = Duration::from_millis(500);

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
}

pub(crate) const ALL: [(Part, Fault); 16] = [
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
    /// Of each replica.
    to_postgres: [Link; 2],
    to_redis: [Link; 2],
    charters: [Option<Charter>; 2],
    pub(crate) addresses: Addresses,
}

impl World {
    /// `None` where PostgreSQL or Redis is not installed.
    pub(crate) async fn start() -> Option<Self> {
        let postgres = PrivatePostgres::start(None)?;
        let redis = Redis::start()?;
        let link = Link::to;
        let to_postgres = [link(postgres.port()).await, link(postgres.port()).await];
        let to_redis = [link(redis.port()).await, link(redis.port()).await];
        let homes = [0, 1].map(|n| {
            let port = to_postgres[n].address().port();
            let url = PrivatePostgres::url("127.0.0.1", port, "sslmode=disable");
            let redis = format!("redis://{}", to_redis[n].address());
            Home::new()
                .with("CHARTER__DATABASE__URL", &url)
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
            to_postgres,
            to_redis,
            charters: charters.map(Some),
            addresses,
        })
    }

    /// The database's, whatever becomes of links.
    pub(crate) fn url(&self) -> String {
        PrivatePostgres::url("127.0.0.1", self.postgres.port(), "sslmode=disable")
    }

    /// All begin, last for two seconds, and end.
    pub(crate) async fn suffer(&mut self, faults: &[(Part, Fault)]) {
        for fault in faults {
            self.begin(*fault);
        }
        tokio::time::sleep(LASTS).await;
        // What replicas stand on comes back first, so that one that starts finds it.
        let mut faults = faults.to_vec();
        faults.sort_by_key(|(part, fault)| {
            let is_link = matches!(fault, Fault::CutOff | Fault::Slow);
            (!is_link, *part == Part::Replica)
        });
        for fault in faults {
            self.end(fault);
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

    fn begin(&mut self, fault: (Part, Fault)) {
        match fault {
            (part, Fault::CutOff) => self.set(part, Passage::Cut),
            (part, Fault::Slow) => self.set(part, Passage::Slow(SLOW)),
            (Part::Replica, Fault::Kill) => self.charters[0].take().expect("it runs").kill(),
            (Part::Replica, Fault::Restart) => self.charter().terminate(),
            (Part::Replica, _) => self.charter().signal("STOP"),
            (Part::Postgres, Fault::Pause) => self.postgres.pause(),
            (Part::Postgres, Fault::Restart) => self.postgres.stop(),
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

    fn end(&mut self, fault: (Part, Fault)) {
        match fault {
            (part, Fault::CutOff | Fault::Slow) => self.set(part, Passage::Open),
            (Part::Replica, Fault::Pause) => self.charter().signal("CONT"),
            (Part::Replica, _) => self.start_again(),
            (Part::Postgres, Fault::Pause) => self.postgres.resume(),
            (Part::Postgres, _) => self.postgres.start_again(),
            (Part::Redis, Fault::Pause) => self.cluster.redis.resume(),
            (Part::Redis, Fault::Empty) => {}
            (Part::Redis, _) => self.cluster.redis.restart(),
        }
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

    pub(crate) fn stop(self) {
        for charter in self.charters.into_iter().flatten() {
            charter.stop();
        }
        let verified = self.cluster.homes[0].run(&["audit", &self.cluster.config, "verify"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }
}
