//! The state of a Redis server.

use std::time::Duration;

use ::redis::InfoDict;

use super::fault::RedisFault;

/// The policy under which Redis never evicts keys.
const NO_EVICTION: &str = "noeviction";

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Changes with a restart, a failover and evicted keys.
    pub(super) life: String,
    /// The value of the epoch key.
    pub(super) epoch: Option<String>,
    /// The latest epoch that began on it; unlike the epoch key it does not expire.
    pub(super) begun: Option<String>,
    /// Its clock, since 1970.
    pub(super) time: Duration,
}

impl Server {
    /// Reads the responses to `GETEX epoch`, `GET begun`, `INFO` and `TIME`.
    ///
    /// # Errors
    ///
    /// [`RedisFault::Eviction`], [`RedisFault::Role`], [`RedisFault::Unfit`].
    pub(super) fn read(
        (epoch, begun): (Option<String>, Option<String>),
        info: &InfoDict,
        (seconds, microseconds): (u64, u32),
    ) -> Result<Self, RedisFault> {
        let text = |name: &str| {
            info.get::<String>(name)
                .ok_or_else(|| RedisFault::Unfit(format!("`INFO` does not tell `{name}`")))
        };
        let policy = text("maxmemory_policy")?;
        if policy != NO_EVICTION {
            return Err(RedisFault::Eviction(policy));
        }
        let role = text("role")?;
        if role != "master" {
            return Err(RedisFault::Role(role));
        }
        let (run, replication) = (text("run_id")?, text("master_replid")?);
        let evicted = text("evicted_keys")?;
        Ok(Self {
            life: format!("{run} {replication} {evicted}"),
            epoch,
            begun,
            time: Duration::new(seconds, microseconds.saturating_mul(1_000)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: (&str, &str)) -> Result<Server, RedisFault> {
        let info = "maxmemory_policy:noeviction\r\nrole:master\r\nrun_id:r1\r\n\
                    master_replid:p1\r\nevicted_keys:0\r\n";
        let info = InfoDict::new(&info.replace(change.0, change.1));
        Server::read((Some("e1".to_owned()), None), &info, (1, 500_000))
    }

    #[test]
    fn another_run_another_replication_and_evicted_keys_are_another_life() {
        let life = |change| read(change).expect("a server").life;
        let same = life(("", ""));
        for change in [
            ("r1", "r2"),
            ("p1", "p2"),
            ("evicted_keys:0", "evicted_keys:1"),
        ] {
            assert_ne!(life(change), same, "{change:?}");
        }
        let time = read(("", "")).expect("a server").time;
        assert_eq!(time, Duration::from_millis(1_500));
    }

    #[test]
    fn a_server_that_may_forget_or_is_no_master_is_refused() {
        let evicting = read(("noeviction", "allkeys-lru"));
        assert!(matches!(evicting, Err(RedisFault::Eviction(policy)) if policy == "allkeys-lru"));
        let following = read(("master\r", "slave\r"));
        assert!(matches!(following, Err(RedisFault::Role(role)) if role == "slave"));
        let silent = read(("run_id", "id"));
        assert!(matches!(silent, Err(RedisFault::Unfit(_))), "{silent:?}");
    }
}
