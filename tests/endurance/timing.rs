//! Whether the time of a refusal tells why: unknown key, wrong secret, changed request.

use charter_domain::clock::{Clock as _, SystemClock};
use test_support::choices::Choices;
use test_support::process::Home;
use test_support::signed_client::{Client, Credentials, Signed};

/// A key that nobody has, of the usual form.
fn unknown(credentials: &Credentials) -> Credentials {
    let (rest, random) = credentials.access_key.rsplit_once('_').expect("its parts");
    let other: String = random.chars().rev().collect();
    Credentials::new(&format!("{rest}_{other}"), &credentials.secret_key)
}

fn of_class(class: usize, known: &Credentials) -> Signed {
    match class {
        0 => unknown(known).sign("GET", "/organizations/info", ""),
        1 => {
            let wrong: String = known.secret_key.chars().rev().collect();
            Credentials::new(&known.access_key, &wrong).sign("GET", "/organizations/info", "")
        }
        _ => {
            let mut tampered = known.sign("GET", "/accounts", "");
            "/organizations/info".clone_into(&mut tampered.target);
            tampered
        }
    }
}

const CLASSES: [&str; 3] = ["unknown key", "wrong secret", "changed path"];

/// Mean and variance of the mean.
pub(crate) fn moments(samples: &[f64]) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 samples")]
    let count = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
    (mean, squares / (count - 1.0) / count)
}

pub(crate) fn welch_t(one: &[f64], other: &[f64]) -> f64 {
    let ((mean_one, variance_one), (mean_other, variance_other)) = (moments(one), moments(other));
    (mean_one - mean_other) / (variance_one + variance_other).sqrt()
}

/// Needs a quiet machine: |t| of 4.5 or more would tell the classes apart.
#[tokio::test]
#[ignore = "minutes long, and needs a quiet machine"]
async fn the_time_of_a_refusal_does_not_tell_its_reason_in_full() {
    const SAMPLES: usize = 6_000;
    let home = Home::new();
    let charter = home.serve();
    let known = charter.writer();
    let mut client = Client::http1(charter.main);
    let clock = SystemClock::start();
    let mut choices = Choices::new(10);
    let mut samples = [const { Vec::new() }; 3];
    // Interleaved at random, so that what the machine does elsewhere falls on all alike.
    while samples.iter().any(|samples| samples.len() < SAMPLES) {
        let class = choices.below(CLASSES.len());
        let request = of_class(class, &known);
        let began = clock.monotonic();
        let answer = client.send(&request).await;
        let taken = clock.monotonic().saturating_sub(began);
        answer.assert_refused(401, "INVALID_SIGNATURE");
        samples[class].push(taken.as_secs_f64() * 1e3);
    }
    // The slowest are the machine's doing: they only blur.
    for samples in &mut samples {
        samples.sort_by(f64::total_cmp);
        samples.truncate(samples.len() * 95 / 100);
    }
    for (class, samples) in CLASSES.iter().zip(&samples) {
        println!(
            "{class}: {} samples, mean {:.4} ms, median {:.4} ms",
            samples.len(),
            moments(samples).0,
            samples[samples.len() / 2]
        );
    }
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let t = welch_t(&samples[one], &samples[other]);
        println!("{} against {}: t = {t:.2}", CLASSES[one], CLASSES[other]);
        assert!(
            t.abs() < 4.5,
            "{} can be told from {}",
            CLASSES[one],
            CLASSES[other]
        );
    }
    charter.stop();
}
