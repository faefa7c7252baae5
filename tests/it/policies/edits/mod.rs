//! Edits of the policy folder while requests are served.

mod explained;
mod gates;
mod reload;
mod restart;
mod rollback;
mod shadow;
mod stops;
mod upgraded;

use std::path::Path;
use std::sync::Arc;

use charter_authz::folder::Folder;
use tempfile::TempDir;
use test_support::policy_world::whole_copy_of_shipped;
use test_support::polling::until;
use test_support::service::Service;
use test_support::services::TestDatabase;

/// An emergency stop.
const STOP: &str = "@id(\"stop\")\nforbid (principal, action, resource);\n";
/// Members may invite: they may not as shipped.
const WIDER: &str = "@id(\"wider\")\npermit (principal in Role::\"member\", action == Action::\"team:InviteMember\", resource is Organization);\n";

/// The service on a copy of the shipped folder.
async fn serve_copy(more: &str) -> (TempDir, Service) {
    let folder = whole_copy_of_shipped();
    let service = serve(folder.path(), more).await;
    (folder, service)
}

/// The service on this folder, with these further settings in `[policies]`.
async fn serve(dir: &Path, more: &str) -> Service {
    let policies = format!(
        "dir = \"{}\"\ncheck_timeout = \"100s\"\n{more}",
        dir.display()
    );
    Service::with_policies(TestDatabase::sqlite(), &policies).await
}

fn in_force(service: &Service) -> Arc<str> {
    Arc::clone(service.state().engine.snapshot().digest())
}

/// The folder as it is now is in force.
async fn live(service: &Service, dir: &Path, what: &str) {
    let wanted = Arc::clone(Folder::read(dir).expect("a whole folder").digest());
    until(what, async || in_force(service) == wanted).await;
    // The health is told just after.
    sound(service, what).await;
}

/// Nothing newer is refused.
async fn sound(service: &Service, what: &str) {
    until(what, async || {
        service.state().engine.health().refused.is_none()
    })
    .await;
}
