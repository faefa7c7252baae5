//! Policy folders with many domains of one's own.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

const SCHEMA: &str = "entity user;\nentity record = { \"status\": String };\n\
    action \"read\", \"write\" appliesTo { principal: [user], resource: [record] };\n";
const INVARIANT: &str = "@id(\"no-archived-record-is-written\")\npermit (principal, action, resource)\n\
    unless { action == Action::\"write\" && resource.status == \"archived\" };\n";
const EXAMPLES: &str = r#"[
  {"name": "a user reads", "request": {"principal": "user::\"u-0\"", "action": "Action::\"read\"", "resource": "record::\"r-0\"", "context": {}},
   "entities": [{"uid": {"type": "user", "id": "u-0"}, "attrs": {}, "parents": []},
                {"uid": {"type": "record", "id": "r-0"}, "attrs": {"status": "active"}, "parents": []}],
   "decision": "allow", "reason": ["grant.0"], "num_errors": 0}
]"#;

/// The shipped policies, and `domains` domains of `policies` policies each.
pub(crate) fn with_domains(domains: usize, policies: usize) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    copy(&shipped, folder.path());
    for number in 0..domains {
        let dir = folder.path().join("domains").join(name(number));
        for below in ["invariants", "tests"] {
            fs::create_dir_all(dir.join(below)).expect("a directory");
        }
        let mut text = String::new();
        for policy in 0..policies {
            writeln!(
                text,
                "@id(\"grant.{policy}\")\npermit (principal == user::\"u-{policy}\", action == Action::\"read\", \
                 resource)\nwhen {{ resource.status == \"active\" }};"
            )
            .expect("a string takes any text");
        }
        for (file, text) in [
            ("schema.cedarschema", SCHEMA),
            ("grants.cedar", text.as_str()),
            ("invariants/archived.cedar", INVARIANT),
            ("tests/reads.json", EXAMPLES),
        ] {
            fs::write(dir.join(file), text).expect("a written file");
        }
    }
    folder
}

pub(crate) fn name(number: usize) -> String {
    format!("d-{number:03}")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}
