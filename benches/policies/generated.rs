//! Policy folders of any size, similar to an installation with many direct grants.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use charter_domain::permission::Permission;
use tempfile::TempDir;

/// The guardrails, two grants, and `size` grants to other service accounts: spread over the actions, or all on the
/// requested one.
pub(crate) fn generated(size: usize, spread: bool) -> TempDir {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let folder = TempDir::new().expect("a temporary folder");
    for file in ["schema.cedarschema", "guardrails.cedar"] {
        fs::copy(shipped.join(file), folder.path().join(file)).expect("a copy");
    }
    let mut text = String::from(
        "@id(\"organizations:GetOrganization\")\npermit (principal in \
         Permission::\"organizations:GetOrganization\", action == \
         Action::\"organizations:GetOrganization\", resource);\n",
    );
    let asked_of_service_accounts: Vec<Permission> = Permission::ALL
        .iter()
        .copied()
        .filter(|permission| {
            let name = permission.as_str();
            !name.starts_with("team:")
                && !name.starts_with("me:")
                && !name.ends_with("Settings")
                && !name.contains("Deactivate")
        })
        .collect();
    for number in 0..size.saturating_sub(5) {
        let action = if spread {
            asked_of_service_accounts
                .get(number % asked_of_service_accounts.len())
                .copied()
                .unwrap_or(Permission::GetOrganization)
        } else {
            Permission::GetOrganization
        };
        writeln!(
            text,
            "@id(\"grant.{number}\")\npermit (principal == \
             ServiceAccount::\"sa-{number:026}\", action == Action::\"{action}\", resource);"
        )
        .expect("a string takes any text");
        if text.len() > 1_000_000 {
            let name = format!("grants-{number}.cedar");
            fs::write(folder.path().join(name), &text).expect("a written file");
            text.clear();
        }
    }
    fs::write(folder.path().join("grants.cedar"), text).expect("a written file");
    folder
}
