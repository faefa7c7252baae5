//! What holds wherever nonces are remembered.

use charter_budgets::Resource;
use tokio::task::JoinSet;

use super::shared::Shared;
use super::*;

/// A guard, its clock, and two keys of one organization.
pub(super) struct Rule {
    pub(super) guard: Arc<dyn NonceStore>,
    pub(super) clock: Arc<HandClock>,
    pub(super) organization: OrganizationId,
    pub(super) keys: [AccessKeyId; 2],
    /// What it lives in.
    pub(super) _place: Box<dyn std::any::Any + Send>,
}

impl Rule {
    fn in_memory(bounds: Bounds) -> Self {
        let clock = HandClock::new();
        let directory = tempfile::tempdir().expect("a directory");
        let config = ReplayGuardConfig {
            bounds,
            ..config(directory.path())
        };
        let guard = ReplayGuard::open(&config, clock.clone()).expect("a guard");
        Self::of(Arc::new(guard), clock, Box::new(directory))
    }

    async fn in_redis(bounds: Bounds) -> Option<Self> {
        let shared = Shared::with(bounds).await?;
        let guard = shared.open().await.expect("a guard");
        let clock = Arc::clone(&shared.clock);
        Some(Self::of(Arc::new(guard), clock, Box::new(shared)))
    }

    fn of(
        guard: Arc<dyn NonceStore>,
        clock: Arc<HandClock>,
        place: Box<dyn std::any::Any + Send>,
    ) -> Self {
        Self {
            organization: organization(&clock),
            keys: [key(&clock), key(&clock)],
            guard,
            clock,
            _place: place,
        }
    }

    async fn claim(&self, nonce: &str, date: Timestamp) -> Result<(), ClaimError> {
        let [key, _] = self.keys;
        self.guard.claim(key, self.organization, nonce, date).await
    }
}

const ROOMY: Bounds = Bounds {
    per_key: 1_000,
    per_organization: 1_000,
    total: 4_000,
};

macro_rules! wherever {
    ($($name:ident in $bounds:expr),+ $(,)?) => {
        mod in_memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(super::Rule::in_memory($bounds)).await;
                }
            )+
        }
        mod in_redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(rule) = super::Rule::in_redis($bounds).await {
                        super::$name(rule).await;
                    }
                }
            )+
        }
    };
}

wherever!(
    concurrent_replays_accept_once in super::ROOMY,
    a_nonce_is_spent_for_every_date in super::ROOMY,
    another_key_may_use_the_same_nonce in super::ROOMY,
    dates_outside_the_window_are_refused in super::ROOMY,
    a_key_has_a_quota in super::Bounds { per_key: 3, ..super::ROOMY },
    an_organization_has_a_share in super::Bounds { per_organization: 3, ..super::ROOMY },
    there_is_a_total in super::Bounds { per_key: 100, per_organization: 100, total: 3 },
    after_a_clean_stop_nothing_passes in super::ROOMY,
);

async fn concurrent_replays_accept_once(rule: Rule) {
    let date = rule.clock.now();
    for round in 0..50 {
        let mut crowd = JoinSet::new();
        for _ in 0..10 {
            let (guard, [key, _], of) = (Arc::clone(&rule.guard), rule.keys, rule.organization);
            crowd.spawn(async move { guard.claim(key, of, &format!("nonce-{round}"), date).await });
        }
        let answers = crowd.join_all().await;
        let passed = answers.iter().filter(|answer| answer.is_ok()).count();
        let replayed = answers
            .iter()
            .filter(|answer| matches!(answer, Err(ClaimError::Replayed)))
            .count();
        assert_eq!((passed, replayed), (1, 9), "{answers:?}");
    }
    assert_eq!(rule.guard.status().remembered, 50);
}

async fn a_nonce_is_spent_for_every_date(rule: Rule) {
    let first = rule.clock.now();
    rule.claim("nonce-1", first).await.expect("fresh");
    for seconds in [0, 1, 30, 60, 299] {
        let offset = Duration::from_secs(seconds);
        for date in [first + offset, first - offset] {
            let again = rule.claim("nonce-1", date).await;
            assert!(
                matches!(again, Err(ClaimError::Replayed)),
                "{date}: {again:?}"
            );
        }
    }
}

async fn another_key_may_use_the_same_nonce(rule: Rule) {
    let date = rule.clock.now();
    rule.claim("nonce-1", date).await.expect("fresh");
    let [_, other] = rule.keys;
    let claimed = rule
        .guard
        .claim(other, rule.organization, "nonce-1", date)
        .await;
    claimed.expect("fresh for this key");
}

async fn dates_outside_the_window_are_refused(rule: Rule) {
    let far = WINDOW + Duration::from_secs(2);
    for date in [rule.clock.now() + far, rule.clock.now() - far] {
        let refused = rule.claim("nonce-1", date).await;
        assert!(
            matches!(refused, Err(ClaimError::OutsideWindow)),
            "{refused:?}"
        );
    }
}

async fn a_key_has_a_quota(rule: Rule) {
    let date = rule.clock.now();
    for n in 0..3 {
        rule.claim(&format!("nonce-{n}"), date)
            .await
            .expect("within it");
    }
    let Err(ClaimError::KeyQuota { limit, retry_after }) = rule.claim("nonce-3", date).await else {
        panic!("the quota was not kept");
    };
    assert_eq!((limit, retry_after), (3, Duration::from_secs(331)));
    let [_, other] = rule.keys;
    let claimed = rule
        .guard
        .claim(other, rule.organization, "nonce-3", date)
        .await;
    claimed.expect("another key has its own");
    rule.clock.pass(retry_after);
    rule.guard.maintain().await;
    assert_eq!(rule.guard.status().remembered, 0);
    rule.claim("nonce-4", rule.clock.now())
        .await
        .expect("free again");
}

async fn an_organization_has_a_share(rule: Rule) {
    let date = rule.clock.now();
    for (n, key) in [0, 1, 0].into_iter().enumerate() {
        let nonce = format!("nonce-{n}");
        let claimed = rule
            .guard
            .claim(rule.keys[key], rule.organization, &nonce, date)
            .await;
        claimed.expect("within it");
    }
    let Err(ClaimError::Budget(exhausted)) = rule.claim("nonce-3", date).await else {
        panic!("the share was not kept");
    };
    assert_eq!((exhausted.resource, exhausted.limit), (Resource::Nonces, 3));
    assert_eq!(rule.guard.near().len(), 1);
    let (other, of) = (key(&rule.clock), organization(&rule.clock));
    let claimed = rule.guard.claim(other, of, "nonce-3", date).await;
    claimed.expect("room for others");
}

async fn there_is_a_total(rule: Rule) {
    let date = rule.clock.now();
    for n in 0..3 {
        let (other, of) = (key(&rule.clock), organization(&rule.clock));
        let claimed = rule
            .guard
            .claim(other, of, &format!("nonce-{n}"), date)
            .await;
        claimed.expect("within it");
    }
    let refused = rule.claim("nonce-3", date).await;
    assert!(
        matches!(refused, Err(ClaimError::Full { .. })),
        "{refused:?}"
    );
}

async fn after_a_clean_stop_nothing_passes(rule: Rule) {
    let date = rule.clock.now();
    rule.claim("nonce-1", date).await.expect("fresh");
    rule.guard.clean_stop().await.expect("a clean stop");
    let refused = rule.claim("nonce-2", date).await;
    assert!(
        matches!(refused, Err(ClaimError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(rule.guard.status().last_error.is_some());
}
