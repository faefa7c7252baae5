//! The diff of `charter policy advise` names files from above the policy folder.

use test_support::policy_solver::solver;

use super::advised::{World, of};

#[test]
fn a_diff_is_applied_above_the_policy_folder_however_that_was_named() {
    if solver().is_none() {
        return;
    }
    let world = World::new(&[]);
    world.an_admin_reads();
    let dir = world.folder.path();
    let above = dir.parent().expect("a directory above");
    let log = world.bench.dir().display().to_string();
    let absolute = dir.display().to_string();
    for (policies, from) in [
        (absolute.as_str(), above),
        (".", dir.as_path()),
        ("../policies", dir.as_path()),
    ] {
        let asked = ["policy", "advise", &log, "--policies", policies];
        let mut command = world
            .home
            .command(&[&asked[..], &of(&["--policy", "roles.admin"])].concat());
        let path = "/usr/local/bin:/usr/bin:/bin";
        let output = command.env("PATH", path).current_dir(from).output();
        let printed = String::from_utf8(output.expect("it runs").stdout).expect("text");
        assert!(
            printed.contains("\n--- a/policies/roles.cedar\n+++ b/policies/roles.cedar\n"),
            "{printed}"
        );
    }
}
