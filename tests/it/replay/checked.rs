//! `charter check` and a start beside running replicas.

use test_support::cluster::{Cluster, send, stop};
use test_support::process::Home;

/// The argument of a settings file that has everything of `config` but `keys.replay`.
fn with_another_replay_key(home: &Home, config: &str) -> String {
    let path = config.strip_prefix("--config=").expect("a file");
    let text = std::fs::read_to_string(path).expect("settings");
    let other = Home::new();
    let others = other.with_new_keys();
    let others = std::fs::read_to_string(others.strip_prefix("--config=").expect("a file"));
    let others = others.expect("settings");
    let is_key = |line: &&str| line.starts_with("replay");
    let theirs = others.lines().find(is_key).expect("a key");
    let ours = text.lines().find(is_key).expect("a key");
    assert_ne!(ours, theirs);
    let file = home.file("another.toml");
    std::fs::write(&file, text.replace(ours, theirs)).expect("written");
    format!("--config={}", file.display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_beside_replicas_passes_and_names_another_replay_key() {
    let Some(cluster) = Cluster::new().await else {
        return;
    };
    let charters = cluster.serve();
    let listed = async || {
        let ready = test_support::client::get(charters[1].operations, "/readyz").await;
        ready.status == 200
    };
    while !listed().await {}
    let addresses = [
        ("CHARTER__SERVER__LISTEN", charters[0].main.to_string()),
        (
            "CHARTER__SERVER__OPS_LISTEN",
            charters[0].operations.to_string(),
        ),
    ];
    let beside = |command: &str, config: &str| {
        let mut command = cluster.homes[0].command(&[command, config]);
        for (name, value) in &addresses {
            command.env(name, value);
        }
        let output = command.output().expect("the binary runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, out, err) = beside("check", &cluster.config);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("is in use while the service runs"), "{out}");

    let config = with_another_replay_key(&cluster.homes[0], &cluster.config);
    let told = "serves this database with another `keys.replay`";
    let (code, _, err) = beside("check", &config);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains(told), "{err}");
    let newcomer = Home::new()
        .with("CHARTER__DATABASE__URL", &cluster.homes[0].database_url())
        .with("CHARTER__REPLAY__URL", &cluster.redis.url())
        .with("CHARTER__REPLAY__STORE", "redis")
        .with("CHARTER__POLICIES__PROOFS", "off");
    let refused = newcomer.run(&["serve", &config]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains(told), "{refused:?}");
    for charter in &charters {
        assert_eq!(send(charter, &cluster.read()).await.status, 200);
    }
    stop(charters);
}

/// All that is wrong with the keys at once, and no advice that presumes they are right.
#[test]
fn both_lists_of_foreign_keys_are_named() {
    let home = Home::new().with("CHARTER__POLICIES__PROOFS", "off");
    let config = home.with_new_keys();
    home.start(&["serve", &config]).stop();
    let others = Home::new();
    let foreign = others.with_new_keys();
    let checked = home.run(&["check", &foreign]);
    assert_eq!(checked.code, Some(2), "{checked:?}");
    let told = "the keys in `keys.sealing` and `keys.audit` do not belong to this database";
    assert_eq!(checked.err.matches(told).count(), 1, "{checked:?}");
    let all = format!("{}{}", checked.out, checked.err);
    assert!(!all.contains("policy approve"), "{all}");
}
