//! Policies are exchanged under load: every answer is the one that the set it names would give.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use charter_authz::engine::Engine;
use charter_authz::question::Question;
use charter_authz::resource::Resource;
use charter_authz::snapshot::Snapshot;
use charter_domain::permission::Permission;
use test_support::policy_world::{Tenant, address, copy_of_shipped, now};

/// Each set permits what the other forbids.
fn opposites() -> [Snapshot; 2] {
    ["permit", "forbid"].map(|effect| {
        let folder = copy_of_shipped();
        let text = format!("@id(\"all\")\n{effect} (principal, action, resource);\n");
        std::fs::write(folder.path().join("all.cedar"), text).expect("a policy");
        Snapshot::load(folder.path()).expect("a good folder")
    })
}

fn swap(swaps: usize, checks: usize) {
    let folders = opposites();
    let [permits, _] = &folders;
    let permitting = permits.digest().to_string();
    let [first, second] = opposites();
    let engine = Engine::new(first, 1 << 20);
    let mut waiting = vec![second];
    let (left, swapping) = (AtomicUsize::new(checks), AtomicBool::new(true));
    let seen = [AtomicUsize::new(0), AtomicUsize::new(0)];
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let tenant = Tenant::new(1);
                let caller = tenant.program(&[], &[]);
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                    .is_ok()
                    || swapping.load(Ordering::Relaxed)
                {
                    let snapshot = engine.snapshot();
                    let principal = engine.prepare(&caller, &snapshot);
                    // By now another set may be in force; this request keeps its own.
                    let decision = snapshot.decide(&Question {
                        principal: &principal,
                        permission: Permission::GetOrganization,
                        resource: Resource::Organization(&tenant.organization),
                        source_ip: address(),
                        now: now(),
                    });
                    let permitted = *decision.policy_digest == *permitting;
                    assert_eq!(decision.is_allowed(), permitted);
                    assert_eq!(decision.policy_digest, *snapshot.digest());
                    seen[usize::from(permitted)].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 0..swaps {
            // Spread over the checks, whatever each costs here.
            while left.load(Ordering::Relaxed) > checks - checks / swaps * number {
                thread::yield_now();
            }
            let next = waiting.pop().expect("one waits");
            let mut before = engine.replace(next);
            waiting.push(loop {
                match std::sync::Arc::try_unwrap(before) {
                    Ok(snapshot) => break snapshot,
                    Err(held) => before = held,
                }
                thread::yield_now();
            });
        }
        swapping.store(false, Ordering::Relaxed);
    });
    let [forbidden, permitted] = seen.map(AtomicUsize::into_inner);
    assert!(forbidden + permitted >= checks);
    assert!(
        forbidden > checks / 10 && permitted > checks / 10,
        "{forbidden}, {permitted}"
    );
}

#[test]
fn each_answer_is_that_of_the_set_it_names() {
    swap(100, 10_000);
}

#[test]
#[ignore = "minutes: 10,000 exchanges under a million checks"]
fn each_answer_is_that_of_the_set_it_names_in_full() {
    swap(10_000, 1_000_000);
}
