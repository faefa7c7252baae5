//! The connections to the database end or fall silent while clients write.

use std::ops::Range;

use test_support::process::Home;
use test_support::services::TestDatabase;
use test_support::services::proxy::Proxy;

use super::history::{History, recover};
use super::running::with_settings;
use crate::rounds::rounds;

async fn nothing_is_lost(rounds: Range<usize>) {
    let Some(database) = TestDatabase::empty_postgres().await else {
        return;
    };
    let proxy = Proxy::before(&database);
    let home = with_settings(Home::on(database))
        .with("CHARTER__DATABASE__URL", proxy.url())
        .with("CHARTER__DATABASE__STATEMENT_TIMEOUT", "1s");
    let mut history = History::default();
    for round in rounds {
        let charter = home.serve();
        let load = history.go_on(&charter).await;
        for fault in 0..4 {
            let before = load.acknowledged();
            load.wait_for(before + 12).await;
            if (round + fault) % 4 == 3 {
                proxy.silence().await;
            } else {
                proxy.cut().await;
            }
        }
        recover(&charter, &load).await;
        if round % 2 == 0 {
            load.stop();
            history.add(load.ended().await);
            charter.stop();
        } else {
            proxy.cut().await;
            charter.kill();
            history.add(load.ended().await);
        }
        history.verify(&home, round % 2 == 0).await;
        println!("round {round}: {} writes", history.acknowledged());
    }
    println!("{} writes acknowledged, all there", history.acknowledged());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_outlive_lost_connections() {
    nothing_is_lost(0..1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: forty services whose connections end again and again"]
async fn acknowledged_writes_outlive_lost_connections_in_full() {
    nothing_is_lost(rounds(40)).await;
}
