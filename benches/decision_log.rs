//! The cost of the decision log for a decision, and the speed of verification and replay: `cargo bench --bench
//! decision_log`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot prepare has nothing to measure, and measures real time"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use charter_authz::principal::Principal;
use charter_authz::snapshot::Snapshot;
use charter_budgets::Budgets;
use charter_decision_log::{
    Clocks, DecisionContext, DecisionLog, DecisionLogConfig, LogKey, Mask, MaskStyle, Overflow,
    Recorder, RotationLimits, Via, verify,
};
use charter_domain::clock::{Clock, SystemClock};
use charter_domain::confirmed_clock::ConfirmedClock;
use charter_domain::entropy::OsEntropy;
use charter_domain::permission::Permission;
use charter_domain::progress::Progress;
use charter_policy::replay::{EarlierSnapshots, ReplayMode, ReplayPolicies, replay};
use test_support::policy_world::{Tenant, address, shipped};

const DECISIONS: u32 = 300_000;
const TENANTS: u32 = 200;
const WAIT_TIMEOUT: Duration = Duration::from_mins(1);

#[expect(clippy::too_many_lines, reason = "the measurements in their order")]
fn main() {
    let clock = Arc::new(SystemClock::start());
    let snapshot = Snapshot::load(&shipped()).expect("the shipped policies");
    let home = tempfile::tempdir().expect("a directory");
    let (dir, head) = (home.path().join("decisions"), home.path().join("head.json"));
    let log = open(&dir, &head, &clock);
    let off = Recorder::disabled(Arc::new(OsEntropy));
    let principals = principals(&snapshot);
    for recorder in [&off, log.recorder()] {
        // Warms up, and writes each principal once.
        decide(recorder, &snapshot, &principals, &*clock, 10_000);
        assert!(recorder.flush(WAIT_TIMEOUT), "written");
    }
    let (wall_off, cpu_off) = measured(&clock, || {
        decide(&off, &snapshot, &principals, &*clock, DECISIONS);
    });
    let (wall_on, cpu_on) = measured(&clock, || {
        decide(log.recorder(), &snapshot, &principals, &*clock, DECISIONS);
        assert!(log.recorder().flush(WAIT_TIMEOUT), "written");
    });
    let each = |time: f64| time * 1e6 / f64::from(DECISIONS);
    println!(
        "processor time a decision: {:.2} µs without the log, {:.2} µs with it, {:.2} µs for it, writing included",
        each(cpu_off),
        each(cpu_on),
        each(cpu_on - cpu_off)
    );
    println!(
        "wall time a decision, one thread asking: {:.2} µs and {:.2} µs",
        each(wall_off),
        each(wall_on)
    );
    log.close();
    let bytes: u64 = std::fs::read_dir(&dir)
        .expect("the log")
        .map(|entry| entry.and_then(|it| it.metadata()).map_or(0, |it| it.len()))
        .sum();
    let lines = f64::from(DECISIONS + 10_000);
    println!("bytes a line: {:.0}", bytes as f64 / lines);
    let (wall, cpu) = measured(&clock, || {
        let report = verify(&dir, Some(&head), &[key()]).expect("readable");
        assert!(report.findings.is_empty(), "{report:?}");
    });
    println!(
        "verify-log: {:.0} decisions a second, one thread; {:.0} a second of processor time",
        lines / wall,
        lines / cpu
    );
    for threads in [1, 2] {
        let (wall, cpu) = measured(&clock, || {
            let outcome = replay(
                &dir,
                &ReplayPolicies::only(None, &snapshot),
                &EarlierSnapshots::new(),
                ReplayMode::Reproduce,
                threads,
                &Progress::default(),
            )
            .expect("readable");
            assert_eq!((outcome.flips, outcome.other_reasons), (0, 0));
            assert_eq!(outcome.replayed, u64::from(DECISIONS + 10_000));
        });
        println!(
            "replay, {threads} threads: {:.0} decisions a second; {:.0} a second of processor time",
            lines / wall,
            lines / cpu
        );
    }
}

fn key() -> LogKey {
    LogKey {
        id: "audit-1".to_owned(),
        secret: [7; 32].to_vec().into(),
    }
}

fn open(dir: &Path, head: &Path, clock: &Arc<SystemClock>) -> DecisionLog {
    let config = DecisionLogConfig {
        dir: dir.to_owned(),
        head: head.to_owned(),
        keys: vec![key()],
        overflow: Overflow::Wait,
        queue: 16_384,
        mask: Mask::parse(&[], MaskStyle::Hash).expect("nothing"),
        limits: RotationLimits {
            rotate_bytes: 128 * 1024 * 1024,
            rotate_after: Duration::from_hours(24),
            keep_files: 64,
            keep_for: Duration::from_hours(24),
        },
        allowed_per_second: 0,
        sync_within: Duration::from_secs(1),
        budgets: Arc::new(Budgets::unlimited(clock.clone())),
    };
    let clocks = Clocks {
        now: clock.clone(),
        confirmed: Arc::new(ConfirmedClock::new(clock.clone())),
    };
    DecisionLog::open(config, None, clocks, Arc::new(OsEntropy)).expect("a log")
}

fn principals(snapshot: &Snapshot) -> Vec<Arc<Principal>> {
    let program = |number| {
        let tenant = Tenant::new(number);
        let caller = tenant.program(&[], &["organizations:GetOrganization"]);
        Arc::new(Principal::prepare(&caller, snapshot))
    };
    (1..=TENANTS).map(program).collect()
}

fn decide(
    recorder: &Recorder,
    snapshot: &Snapshot,
    principals: &[Arc<Principal>],
    clock: &dyn Clock,
    count: u32,
) {
    for principal in principals.iter().cycle().take(count as usize) {
        // As a request waits.
        while !recorder.has_room() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let by = DecisionContext {
            principal,
            source_ip: address(),
            now: clock.now(),
            request_id: "01k6dyspfte23tskdzn1kqd65k",
            via: Via::Request,
            tells_id: false,
        };
        let own =
            charter_authz::resource::Resource::Organization(principal.caller().organization());
        recorder
            .decide(snapshot, by, Permission::GetOrganization, own)
            .expect("on record");
    }
}

/// Wall time and processor time of this process, in seconds.
fn measured(clock: &SystemClock, work: impl FnOnce()) -> (f64, f64) {
    let (wall, cpu) = (clock.monotonic(), processor_seconds());
    work();
    let wall = clock.monotonic().saturating_sub(wall).as_secs_f64();
    (wall, processor_seconds() - cpu)
}

fn processor_seconds() -> f64 {
    // Fields 14 and 15, in hundredths of a second; the name before them ends with the last `)`.
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this process");
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .expect("a name")
        .1
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}
