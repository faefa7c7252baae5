//! Measures two sides in turns, for several rounds.

use std::time::Duration;

use crate::charter::{memory_kib, processor_seconds};
use crate::load::Measured;

pub(crate) struct Side<'a> {
    pub(crate) name: &'a str,
    /// The process whose processor time is counted.
    pub(crate) process: u32,
    pub(crate) measure: Box<dyn Fn() -> Measured + 'a>,
}

/// The measurements of both sides in each round, with their processor time in seconds.
pub(crate) struct Compared {
    pub(crate) rounds: Vec<[(Measured, f64); 2]>,
    /// Resident memory afterwards, in MiB.
    pub(crate) resident: [f64; 2],
}

impl Compared {
    fn median(&self, figure: impl Fn(&Measured, f64) -> f64) -> [f64; 2] {
        [0, 1].map(|side| {
            let of_round = |round: &[(Measured, f64); 2]| figure(&round[side].0, round[side].1);
            let mut values: Vec<f64> = self.rounds.iter().map(of_round).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        })
    }

    /// Responses a second.
    pub(crate) fn rate(&self) -> [f64; 2] {
        self.median(|run, _| run.rate)
    }

    /// In milliseconds.
    pub(crate) fn p50(&self) -> [f64; 2] {
        self.median(|run, _| millis(run.p50))
    }

    /// In milliseconds.
    pub(crate) fn p99(&self) -> [f64; 2] {
        self.median(|run, _| millis(run.p99))
    }

    /// Processor time for each answer, in microseconds.
    pub(crate) fn processor(&self) -> [f64; 2] {
        self.median(|run, used| used * 1e6 / run.answers as f64)
    }
}

/// Measures both in each round, after a warm-up round.
pub(crate) fn compare(rounds: usize, sides: &[Side<'_>; 2]) -> Compared {
    let mut measured = Vec::new();
    for round in 0..=rounds {
        let both = [0, 1].map(|side| sides[side].measure());
        if round > 0 {
            measured.push(both);
        }
    }
    Compared {
        rounds: measured,
        resident: [0, 1].map(|side| memory_kib(sides[side].process, "VmRSS:") as f64 / 1024.0),
    }
}

impl Side<'_> {
    fn measure(&self) -> (Measured, f64) {
        let used = || processor_seconds(&format!("/proc/{}/stat", self.process));
        let before = used();
        let measured = (self.measure)();
        (measured, used() - before)
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
