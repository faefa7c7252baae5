//! Examples that would not be tested as they are meant are faults.

use charter_authz::folder::Folder;
use charter_authz::snapshot::Snapshot;
use charter_policy::test;
use serde_json::{Value, json};

use super::test_command::{TWO_POLICIES, example, folder, of, run};

fn faults(tests: &[(&str, &str)]) -> Value {
    let folder = folder(TWO_POLICIES, tests);
    let snapshot = Snapshot::load(folder.path()).expect("a good folder");
    let read = Folder::read(folder.path()).expect("a readable folder");
    test::run(&read, &snapshot).expect_err("a fault").document()
}

#[test]
fn a_file_of_examples_cannot_be_named_as_entities() {
    let read = "organizations:GetOrganization";
    let own = example("own", "member", read, "allow", &["members-read"]);
    let mut naming = own.clone();
    naming["entities"] = "team.json".into();
    let itself = format!("[\n{own},\n{naming}\n]");
    let another = of(&[naming.clone()]);
    let broken = format!("[{own}, {{\"name\": \"half\"}}]");
    for tests in [
        vec![("team.json", itself.as_str())],
        vec![
            ("team.json", broken.as_str()),
            ("other.json", another.as_str()),
        ],
    ] {
        let document = faults(&tests);
        let fault = &document["faults"][0];
        let told = "`team.json` holds examples, not entities";
        assert_eq!(fault["message"], told, "{document}");
        assert!(
            fault["line"].is_u64() && fault["column"].is_u64(),
            "{fault}"
        );
    }
}

#[test]
fn a_misspelt_member_of_an_example_is_a_fault_and_a_comment_is_none() {
    let read = "organizations:GetOrganization";
    let mut example = example("own", "member", read, "allow", &["members-read"]);
    example["comment"] = "why it is so".into();
    example["note"] = json!({"codes": ["any"]});
    let sound = folder(TWO_POLICIES, &[("own.json", &of(&[example.clone()]))]);
    assert_eq!(run(sound.path()).failed(), 0);
    for member in ["codee", "Code", "nmae"] {
        let mut slip = example.clone();
        slip[member] = "ANY".into();
        let document = faults(&[("own.json", &of(&[slip]))]);
        let told = format!("an example has no member `{member}`");
        assert_eq!(document["faults"][0]["message"], told, "{document}");
    }
}
