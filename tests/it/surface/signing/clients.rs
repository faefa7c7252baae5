//! The programs of `docs/signing.md` against the real service.

use charter_domain::clock::{Clock as _, SystemClock};
use charter_domain::permission::Permission;
use test_support::on_both_services;
use test_support::service::Service;

use crate::signing_docs::{Target, run_every_program};

on_both_services!(every_documented_program_is_let_in);

async fn every_documented_program_is_let_in(service: &Service) {
    let acme = service.organization("acme").await;
    let permissions = [Permission::GetOrganization, Permission::UpdateOrganization];
    let signer = acme.signer(&permissions).await;
    // The programs go by the real time.
    let ahead = SystemClock::start().now() - service.clock.now();
    service.clock.advance(ahead.num_seconds());
    let base_url = format!("http://{}", service.address());
    let ran = tokio::task::spawn_blocking(move || {
        run_every_program(&Target {
            base_url: &base_url,
            access_key: &signer.signature.access_key,
            secret_key: &signer.signature.secret_key,
        })
    });
    for (language, printed) in ran.await.expect("they run") {
        assert!(printed.contains("org-"), "{language}: {printed}");
    }
}
