//! Edits of the policy folder while requests are served.

mod explained;
mod gates;
mod reload;
mod restart;
mod shadow;
mod stops;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use charter_authz::folder::Folder;
use test_support::service::Service;
use test_support::services::TestDatabase;

/// An emergency stop.
const STOP: &str = "@id(\"stop\")\nforbid (principal, action, resource);\n";
/// Members may invite: they may not as shipped.
const WIDER: &str = "@id(\"wider\")\npermit (principal in Role::\"member\", action == Action::\"team:InviteMember\", resource is Organization);\n";

/// Longer than any check takes on a busy machine; only a failing test waits that long.
const WAIT_TIMEOUT: Duration = Duration::from_mins(2);

/// The service on this folder, with these further settings in `[policies]`.
async fn serve(dir: &Path, more: &str) -> Service {
    let policies = format!(
        "dir = \"{}\"\ncheck_timeout = \"100s\"\n{more}",
        dir.display()
    );
    Service::with_policies(TestDatabase::sqlite(), &policies).await
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    tokio::time::timeout(WAIT_TIMEOUT, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("never: {what}"));
}

fn in_force(service: &Service) -> Arc<str> {
    Arc::clone(service.state().engine.snapshot().digest())
}

/// The folder as it is now is in force.
async fn live(service: &Service, dir: &Path, what: &str) {
    let wanted = Arc::clone(Folder::read(dir).expect("a whole folder").digest());
    until(what, || in_force(service) == wanted).await;
    // The health is told just after.
    sound(service, what).await;
}

/// Nothing newer is refused.
async fn sound(service: &Service, what: &str) {
    until(what, || service.state().engine.health().refused.is_none()).await;
}
