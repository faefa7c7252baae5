//! `charter policy new-domain` writes one that works, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;
use test_support::policy_solver::solver;
use test_support::policy_world::{copy, shipped, whole_copy_of_shipped};
use test_support::process::Home;

use super::domain_tools::text;

#[test]
fn a_new_domain_passes_all_gates_and_overwrites_nothing() {
    let folder = TempDir::new().expect("a directory");
    let policies = folder.path().join("policies");
    copy(&shipped(), &policies);
    let home = Home::new().with("CHARTER__POLICIES__DIR", &text(&policies));
    let run = |arguments: &[&str]| home.run(&[&["policy"], arguments].concat());
    for name in ["invoices", "9-lives"] {
        let made = run(&["new-domain", name]);
        assert_eq!(made.code, Some(0), "{made:?}");
        assert!(made.out.contains("charter policy check"), "{made:?}");
        let dir = policies.join("domains").join(name);
        for file in [
            "schema.cedarschema",
            "policies.cedar",
            "routes.toml",
            "invariants/active-organizations.cedar",
            "tests/items.json",
        ] {
            let text = fs::read_to_string(dir.join(file)).expect(file);
            assert!(!text.contains("DOMAIN"), "{text}");
        }
        for arguments in [
            vec!["check", "--domain", name],
            vec!["test", "--domain", name, "--min-coverage", "100"],
            vec!["fmt", "--domain", name, "--check"],
        ] {
            let held = run(&arguments);
            assert_eq!(held.code, Some(0), "{arguments:?}: {held:?}");
        }
        if solver().is_some() {
            let proved = run(&["prove", "--domain", name]);
            assert_eq!(proved.code, Some(0), "{proved:?}");
        }
        // Edited, and still there.
        let policy = dir.join("policies.cedar");
        fs::write(&policy, "// mine\n").expect("written");
        let again = run(&["new-domain", name]);
        assert_eq!(again.code, Some(1), "{again:?}");
        assert!(again.err.contains("is left as it is"), "{again:?}");
        assert_eq!(fs::read_to_string(&policy).expect("read"), "// mine\n");
    }
    for bad in ["", "Invoices", "a_b", "../x", "a/b", &"x".repeat(64)] {
        let refused = run(&["new-domain", "--", bad]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.err.contains("1 to 63 characters"), "{refused:?}");
    }
    let nowhere = run(&["new-domain", "invoices", "nowhere"]);
    assert_eq!(nowhere.code, Some(2), "{nowhere:?}");
    assert!(nowhere.err.contains("no policy folder"), "{nowhere:?}");
    let domains = fs::read_dir(policies.join("domains")).expect("domains");
    assert_eq!(domains.count(), 2, "no drafts are left");
}

#[test]
fn a_new_domain_is_not_written_through_a_link() {
    let (folder, away) = (
        whole_copy_of_shipped(),
        TempDir::new().expect("a directory"),
    );
    let (policies, outside) = (folder.path(), away.path());
    let home = Home::new().with("CHARTER__POLICIES__DIR", &text(policies));
    let theirs = outside.join("schema.cedarschema");
    fs::write(&theirs, "theirs").expect("a file");
    // A name that once was that of the draft.
    fs::create_dir(policies.join("domains")).expect("a directory");
    let planted = policies.join("domains/.shop.new");
    symlink(outside, &planted).expect("a link");
    home.run(&["policy", "new-domain", "shop"]).success();
    assert!(planted.is_symlink() && policies.join("domains/shop/schema.cedarschema").exists());
    // In the domain's own place, and in that of all.
    symlink(outside.join("new"), policies.join("domains/till")).expect("a link");
    assert_eq!(home.run(&["policy", "new-domain", "till"]).code, Some(1));
    fs::rename(policies.join("domains"), policies.join("away")).expect("moved");
    symlink(outside, policies.join("domains")).expect("a link");
    let refused = home.run(&["policy", "new-domain", "till"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.err.contains("leads out of the policy folder"),
        "{refused:?}"
    );
    assert_eq!(fs::read_to_string(&theirs).expect("read"), "theirs");
    assert_eq!(fs::read_dir(outside).expect("a directory").count(), 1);
}
