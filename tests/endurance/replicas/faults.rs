//! Faults, alone and in pairs, while clients are at work.

use charter_domain::clock::{Clock as _, SystemClock};

use super::clients::Clients;
use super::world::{ALL, Fault, Part, World};
use crate::ledger::Ledger;
use crate::rounds::rounds;

/// Writes that each replica must acknowledge before and after.
const ENOUGH: usize = 5;

async fn nothing_is_lost(rounds: impl IntoIterator<Item = Vec<(Part, Fault)>>) {
    let Some(mut world) = World::start().await else {
        return;
    };
    let guest = world
        .cluster
        .issue("guest", &["organizations:GetOrganization"]);
    let clock = SystemClock::start();
    let mut writes = Vec::new();
    // Acknowledged, but not by the standby.
    let mut lost = 0;
    for (round, faults) in rounds.into_iter().enumerate() {
        let mut clients = Clients::start(&world, &format!("write {round}"), &guest);
        clients.wait_for(ENOUGH).await;
        world.suffer(&faults).await;
        let ended = clock.monotonic();
        clients.wait_for(ENOUGH).await;
        let recovery = clock.monotonic().saturating_sub(ended);
        let (reads, refused) = clients.counts();
        assert!(reads > 0, "{faults:?}: no read passed");
        writes.extend(clients.ended().await);
        for write in writes.iter_mut().filter(|it| it.acknowledged) {
            if world.lost.contains(&write.name) {
                assert!(
                    faults.contains(&(Part::Postgres, Fault::Promote)),
                    "{}",
                    write.name
                );
                write.acknowledged = false;
                lost += 1;
            }
        }
        let ledger = Ledger::of(&world.url()).await;
        ledger.assert_consistent();
        ledger.assert_kept(&writes);
        let acknowledged = writes.iter().filter(|write| write.acknowledged).count();
        println!(
            "{faults:?}: well again after {:.1} s; {acknowledged} writes acknowledged so far and there once, {lost} lost \
             with a primary, {reads} reads, {refused} refusals of who was disabled",
            recovery.as_secs_f32()
        );
    }
    world.stop(lost > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_outlive_promotions_and_clocks_that_are_set_wrong() {
    nothing_is_lost([
        vec![
            (Part::Replica, Fault::ClockBehind),
            (Part::Postgres, Fault::Promote),
        ],
        vec![
            (Part::Replica, Fault::ClockAhead),
            (Part::Postgres, Fault::PromoteSynchronous),
        ],
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_outlive_faults_of_all_that_they_stand_on() {
    nothing_is_lost([
        vec![(Part::Replica, Fault::Kill)],
        vec![(Part::Postgres, Fault::Kill), (Part::Redis, Fault::Slow)],
        vec![(Part::Replica, Fault::CutOff), (Part::Redis, Fault::Pause)],
        vec![(Part::Redis, Fault::Empty)],
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "minutes long: each fault alone"]
async fn replicas_outlive_each_fault_in_full() {
    nothing_is_lost(ALL.map(|fault| vec![fault])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "an hour and a half: each pair of faults"]
async fn replicas_outlive_each_pair_of_faults_in_full() {
    let pairs = ALL.iter().enumerate().flat_map(|(at, one)| {
        let others = ALL[at + 1..].iter();
        // One part dies, stands still or is stopped once.
        others
            .filter(move |other| one.0 != other.0 || (one.1.is_beside() != other.1.is_beside()))
            .map(|other| vec![*one, *other])
    });
    let pairs: Vec<_> = pairs.collect();
    let chosen = rounds(pairs.len());
    nothing_is_lost(pairs[chosen].to_vec()).await;
}
