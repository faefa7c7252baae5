//! A restart takes what was in force, and nothing more that an edit would not get through.

use std::fs;
use std::path::Path;

use charter::authz::folder::Folder;

use crate::endurance::charter::Home;
use crate::policy_solver::solver;
use crate::policy_world::whole_copy_of_shipped;

use super::{STOP, WIDER, until};

fn home(dir: &Path, settings: &[(&str, &str)]) -> Home {
    let mut home = Home::new().with("CHARTER__POLICIES__DIR", &dir.display().to_string());
    for (name, value) in settings {
        home = home.with(name, value);
    }
    home
}

#[tokio::test]
async fn an_emergency_stop_outlives_a_restart() {
    let folder = whole_copy_of_shipped();
    let dir = folder.path();
    let home = home(
        dir,
        &[
            ("CHARTER__POLICIES__TESTS", "required"),
            ("CHARTER__POLICIES__PROOFS", "off"),
        ],
    );
    let service = home.serve();
    fs::write(dir.join("stop.cedar"), STOP).expect("an edit");
    until("stopped", || {
        home.log().contains("other policies are in force")
    })
    .await;
    // The note follows; killed before it, the stop would be an edit like others.
    let note = home.data().join("policies/accepted.json");
    let noted = || fs::read_to_string(&note).is_ok_and(|text| text.contains("stop.cedar"));
    until("noted", noted).await;
    drop(service);
    drop(home.serve());
    // Made while the service was down, it is one, too; anything else is not.
    let more = "@id(\"another\")\nforbid (principal is User, action, resource);\n";
    fs::write(dir.join("another.cedar"), more).expect("an edit");
    drop(home.serve());
    fs::write(dir.join("wider.cedar"), WIDER).expect("an edit");
    let refused = home.refused();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("tests:"), "{}", refused.err);
}

#[test]
fn a_restart_approves_nothing() {
    if solver().is_none() {
        return;
    }
    let folder = whole_copy_of_shipped();
    let dir = folder.path();
    let home = home(
        dir,
        &[
            ("CHARTER__POLICIES__TESTS", "off"),
            ("CHARTER__POLICIES__PROOFS", "off"),
            ("CHARTER__POLICIES__WIDENING", "approved"),
        ],
    );
    drop(home.serve());
    fs::write(dir.join("wider.cedar"), WIDER).expect("an edit");
    let refused = home.refused();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("team:InviteMember"), "{}", refused.err);
    let digest = Folder::read(dir)
        .expect("a folder")
        .whole_digest()
        .to_string();
    assert!(
        refused
            .err
            .contains(&format!("charter policy approve {digest}"))
    );
    home.run(&["policy", "approve", &digest, "--demo"])
        .success();
    drop(home.serve());
    drop(home.serve());
    // Narrower needs nobody; the same step again needs somebody again.
    fs::remove_file(dir.join("wider.cedar")).expect("taken back");
    drop(home.serve());
    fs::write(dir.join("wider.cedar"), WIDER).expect("again");
    assert_eq!(home.refused().code, Some(2));
    // Without the note it is not known what was in force: that is no way around.
    fs::write(home.data().join("policies/accepted.json"), "{}").expect("broken");
    let refused = home.refused();
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("not known any more"), "{refused:?}");
    home.run(&["policy", "approve", &digest, "--demo"])
        .success();
    drop(home.serve());
    fs::write(home.data().join("policies/accepted.json"), "{ }").expect("broken again");
    assert_eq!(home.refused().code, Some(2));
}
