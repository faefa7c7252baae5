//! A log without a service.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use charter_authz::principal::Principal;
use charter_authz::resource::Resource;
use charter_authz::snapshot::Snapshot;
use charter_budgets::{Budgets, Payer};
use charter_decision_log::{
    Clocks, DecisionContext, DecisionLog, DecisionLogConfig, LogKey, Mask, MaskStyle, NotRecorded,
    Overflow, RecordedDecision, RotationLimits, VerificationReport, Via, verify,
};
use charter_domain::caller::Caller;
use charter_domain::clock::Clock as _;
use charter_domain::confirmed_clock::ConfirmedClock;
use charter_domain::entropy::OsEntropy;
use charter_domain::permission::Permission;
use tempfile::TempDir;
use test_support::policy_world::{Tenant, address, shipped};
use test_support::service::TestClock;

/// A directory with a log in it, its key, its policies and its clock.
pub(super) struct Bench {
    pub(super) home: TempDir,
    pub(super) clock: Arc<TestClock>,
    pub(super) snapshot: Snapshot,
    pub(super) acme: Tenant,
    pub(super) limits: RotationLimits,
    pub(super) overflow: Overflow,
    pub(super) queue: usize,
    pub(super) mask: Mask,
    pub(super) via: Via,
    pub(super) source_ip: IpAddr,
    pub(super) request_id: &'static str,
    pub(super) tells_id: bool,
    pub(super) allowed_per_second: u64,
    pub(super) budgets: Arc<Budgets>,
}

impl Bench {
    /// Somebody of the tenant.
    pub(super) fn payer(&self) -> Payer {
        Payer::from(&self.acme.program(&[], &[]))
    }

    pub(super) fn new() -> Self {
        let clock = Arc::new(TestClock::default());
        Self {
            home: TempDir::new().expect("a directory"),
            budgets: Arc::new(Budgets::unlimited(clock.clone())),
            clock,
            tells_id: false,
            allowed_per_second: 0,
            snapshot: Snapshot::load(&shipped()).expect("the shipped policies"),
            acme: Tenant::new(1),
            limits: RotationLimits {
                rotate_bytes: 1_000_000,
                rotate_after: Duration::from_hours(24),
                keep_files: 1_000,
                keep_for: Duration::from_hours(24),
            },
            overflow: Overflow::Wait,
            queue: 10_000,
            mask: Mask::parse(&[], MaskStyle::Hash).expect("nothing"),
            via: Via::Request,
            source_ip: address(),
            request_id: "r-1",
        }
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.home.path().join("decisions")
    }

    pub(super) fn head(&self) -> PathBuf {
        self.home.path().join("head.json")
    }

    pub(super) fn open(&self) -> DecisionLog {
        self.open_with(None)
    }

    pub(super) fn open_with(&self, shadow: Option<Snapshot>) -> DecisionLog {
        let config = DecisionLogConfig {
            dir: self.dir(),
            head: self.head(),
            keys: keys(),
            overflow: self.overflow,
            queue: self.queue,
            mask: self.mask.clone(),
            limits: self.limits,
            allowed_per_second: self.allowed_per_second,
            sync_within: Duration::from_secs(1),
            budgets: Arc::clone(&self.budgets),
        };
        DecisionLog::open(config, shadow, self.clocks(), Arc::new(OsEntropy)).expect("a log")
    }

    pub(super) fn clocks(&self) -> Clocks {
        Clocks {
            now: self.clock.clone(),
            confirmed: Arc::new(ConfirmedClock::new(self.clock.clone())),
        }
    }

    /// A decision about the organization.
    pub(super) fn decide(
        &self,
        log: &DecisionLog,
        caller: &Caller,
        permission: Permission,
    ) -> Result<RecordedDecision, NotRecorded> {
        self.decide_about(log, caller, permission, self.acme.organization())
    }

    pub(super) fn decide_about(
        &self,
        log: &DecisionLog,
        caller: &Caller,
        permission: Permission,
        resource: Resource<'_>,
    ) -> Result<RecordedDecision, NotRecorded> {
        let by = DecisionContext {
            principal: &Arc::new(Principal::prepare(caller, &self.snapshot)),
            source_ip: self.source_ip,
            now: self.clock.now(),
            request_id: self.request_id,
            via: self.via,
            tells_id: self.tells_id,
        };
        log.recorder()
            .decide(&self.snapshot, by, permission, resource)
    }

    /// So many reads, every other one allowed, each a second after the other.
    pub(super) fn fill(&self, log: &DecisionLog, count: usize) {
        let reader = self.acme.program(&[], &["organizations:GetOrganization"]);
        let nobody = self.acme.program(&[], &[]);
        for index in 0..count {
            let caller = if index % 2 == 0 { &reader } else { &nobody };
            let decided = self.decide(log, caller, Permission::GetOrganization);
            decided.expect("on record");
            self.clock.advance(1);
        }
    }

    pub(super) fn verify(&self) -> VerificationReport {
        verify(&self.dir(), Some(&self.head()), &keys()).expect("readable")
    }

    #[track_caller]
    pub(super) fn assert_intact(&self) -> VerificationReport {
        let report = self.verify();
        assert!(report.findings.is_empty(), "{report:#?}");
        report
    }
}

pub(super) fn keys() -> Vec<LogKey> {
    let secret = [7; 32].to_vec().into();
    vec![LogKey {
        id: "audit-1".to_owned(),
        secret,
    }]
}
