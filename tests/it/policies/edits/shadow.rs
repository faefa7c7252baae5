//! The folder that is asked beside: what is wrong with it is told.

use std::fs;

use test_support::policy_world::whole_copy_of_shipped;

use super::{serve, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_or_missing_shadow_is_degraded() {
    let (folder, shadow) = (whole_copy_of_shipped(), whole_copy_of_shipped());
    let settings = format!(
        "tests = \"off\"\nproofs = \"off\"\nshadow = \"{}\"",
        shadow.path().display()
    );
    let service = serve(folder.path(), &settings).await;
    let engine = &service.state().engine;
    let fault = || engine.health().shadow.clone().unwrap_or_default();
    fs::write(shadow.path().join("broken.cedar"), "permit (").expect("an edit");
    until("broken", async || fault().contains("broken.cedar")).await;
    assert!(engine.health().is_degraded());
    fs::remove_file(shadow.path().join("broken.cedar")).expect("taken back");
    until("mended", async || !engine.health().is_degraded()).await;
    let away = shadow.path().with_extension("away");
    fs::rename(shadow.path(), &away).expect("moved away");
    until("missing", async || fault().contains("cannot open")).await;
    fs::rename(&away, shadow.path()).expect("moved back");
    until("there again", async || !engine.health().is_degraded()).await;
    service.stop().await;
}
