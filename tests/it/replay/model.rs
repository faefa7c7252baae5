//! The replay guard against a naive model that forgets nothing, under random clocks and restarts.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use charter_authn::nonces::{ClaimError, NonceStore as _, ReplayGuard};
use charter_domain::clock::Clock;
use charter_domain::timestamp::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{HandClock, WINDOW, boot_again, config, journals, key, organization};

/// What can happen, in seconds.
#[derive(Debug, Clone)]
enum Step {
    /// A request of some key, dated relative to now.
    Fresh {
        key: Index,
        date: i64,
    },
    /// One that was accepted before, byte for byte.
    Replay(Index),
    Pass(u64),
    /// Both clocks run ahead, as after a pause that was none.
    BothAhead(u64),
    SetAhead(u64),
    SetBack(u64),
    Maintain,
    Kill,
    CleanStop,
    PowerCut,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<Index>(), -310_i64..310).prop_map(|(key, date)| Step::Fresh { key, date }),
        6 => any::<Index>().prop_map(Step::Replay),
        3 => (1_u64..400).prop_map(Step::Pass),
        1 => (1_u64..100_000).prop_map(Step::BothAhead),
        1 => (1_u64..100_000).prop_map(Step::SetAhead),
        2 => (1_u64..100_000).prop_map(Step::SetBack),
        3 => Just(Step::Maintain),
        1 => Just(Step::Kill),
        1 => Just(Step::CleanStop),
        1 => Just(Step::PowerCut),
    ]
}

/// The half minute that a date lies in.
fn half(date: Timestamp) -> i64 {
    date.timestamp().div_euclid(30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn nothing_is_accepted_twice_and_nothing_honest_is_called_a_replay(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let clock = HandClock::new();
        let keys = [key(&clock), key(&clock)];
        let organization = organization(&clock);
        let open = || {
            let clock: Arc<dyn Clock> = clock.clone();
            ReplayGuard::open(&config(directory.path()), clock).expect("a guard")
        };
        let mut guard = open();
        let mut accepted: Vec<(_, String, Timestamp)> = Vec::new();
        let mut seen = HashSet::new();
        let mut cut = false;
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Fresh { key, date } => {
                    let key = *key.get(&keys);
                    let date = if date < 0 {
                        clock.now() - Duration::from_secs(date.unsigned_abs())
                    } else {
                        clock.now() + Duration::from_secs(date.unsigned_abs())
                    };
                    let nonce = format!("nonce-{number}");
                    let inside = (date - clock.now()).abs().to_std().expect("short") <= WINDOW;
                    match runtime.block_on(guard.claim(key, organization, &nonce, date)) {
                        Ok(()) => {
                            prop_assert!(seen.insert((key, nonce.clone())));
                            accepted.push((key, nonce, date));
                        }
                        Err(ClaimError::OutsideWindow) => prop_assert!(!inside),
                        // Only where something was accepted, or may have been.
                        Err(ClaimError::Forgotten) => prop_assert!(
                            cut || accepted.iter().any(|(_, _, other)| half(*other) == half(date))
                        ),
                        Err(ClaimError::Closed { .. }) => prop_assert!(cut),
                        Err(other) => prop_assert!(false, "{}", other),
                    }
                }
                Step::Replay(which) if !accepted.is_empty() => {
                    let (key, nonce, date) = which.get(&accepted);
                    let again = runtime.block_on(guard.claim(*key, organization, nonce, *date));
                    prop_assert!(again.is_err(), "`{}` passed twice", nonce);
                }
                Step::Replay(_) => {}
                Step::Pass(seconds) | Step::BothAhead(seconds) => clock.pass(Duration::from_secs(seconds)),
                Step::SetAhead(seconds) => clock.set_ahead(Duration::from_secs(seconds)),
                Step::SetBack(seconds) => clock.set_back(Duration::from_secs(seconds)),
                Step::Maintain => guard.maintain(),
                Step::Kill => {
                    drop(guard);
                    guard = open();
                }
                Step::CleanStop => {
                    runtime.block_on(guard.clean_stop()).expect("a clean stop");
                    drop(guard);
                    boot_again(directory.path());
                    guard = open();
                }
                Step::PowerCut => {
                    cut = true;
                    drop(guard);
                    boot_again(directory.path());
                    for journal in journals(directory.path()) {
                        // The header was synced with the mark; what follows need not have been.
                        let file = std::fs::OpenOptions::new().write(true).open(journal);
                        file.and_then(|file| file.set_len(16)).expect("cut short");
                    }
                    guard = open();
                }
            }
        }
    }
}
