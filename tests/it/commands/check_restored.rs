//! `charter check` where database and data directory are not those of the last run, or are damaged.

use std::fs;
use std::process::Command;

use super::Installation;
use super::check::{EXPIRES_SOON, unproved};

#[test]
fn a_data_directory_of_another_time_is_told() {
    let home = unproved().with(EXPIRES_SOON.0, EXPIRES_SOON.1);
    let installation = Installation::in_home(home);
    installation.serve().stop();
    installation.run(&["check"]).success();
    let replay = installation.home.data().join("replay");
    let copy = replay.with_extension("copy");
    let copied = Command::new("cp").arg("-a").args([&replay, &copy]).status();
    assert!(copied.expect("it runs").success());
    fs::remove_dir_all(&replay).expect("removed");
    for _ in ["lost", "copied"] {
        let checked = installation.run(&["check"]);
        assert_eq!(checked.code, Some(1), "{checked:?}");
        assert!(checked.err.contains("signed requests"), "{checked:?}");
        if copy.exists() {
            fs::rename(&copy, &replay).expect("moved");
        }
    }
}

#[test]
fn damage_within_an_sqlite_file_is_told() {
    let installation = Installation::in_home(unproved());
    installation.serve().stop();
    let acme = ["organization", "create", "--name=Acme", "--slug=acme"];
    installation.run(&acme).success();
    installation.run(&["check"]).success();
    let file = installation.home.data().join("charter.db");
    let mut bytes = fs::read(&file).expect("readable");
    // The last pages, after the schema's.
    let end = bytes.len() - 2 * 4_096;
    bytes[end..].fill(0xA5);
    fs::write(&file, bytes).expect("written");
    let checked = installation.run(&["check"]);
    // By what is damaged, more may be wrong.
    assert!(matches!(checked.code, Some(1 | 2)), "{checked:?}");
    assert!(checked.err.contains("is damaged"), "{checked:?}");
}

#[test]
fn a_database_that_another_service_holds_is_told_with_its_holder() {
    let first = Installation::in_home(unproved().with(EXPIRES_SOON.0, EXPIRES_SOON.1));
    let service = first.serve();
    let url = format!("sqlite://{}/charter.db", first.home.data().display());
    let home = unproved()
        .with("CHARTER__DATABASE__URL", &url)
        .with(EXPIRES_SOON.0, EXPIRES_SOON.1);
    let other = Installation {
        home,
        config: first.config.clone(),
    };
    other.assert_foretold(&[]);
    service.stop();
    // It starts then, without the nonces of the other.
    let checked = other.run(&["check"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(
        checked.err.contains("is not the directory of the process"),
        "{checked:?}"
    );
    first.run(&["check"]).success();
}
