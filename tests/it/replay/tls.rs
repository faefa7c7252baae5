//! Redis under TLS and behind a password.

use std::path::Path;

use charter_authn::nonces::RedisConfig;
use test_support::services::certificates::Certificates;
use test_support::services::sentinel::TlsRedis;

use super::shared::{ROOMY, Shared};
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_trusted_by_its_certificate_and_asked_with_a_password() {
    let (Some(redis), Some(shared)) = (TlsRedis::start(), Shared::with(ROOMY).await) else {
        return;
    };
    let authority = redis.certificates.authority();
    let open = async |url: String, ca_file: Option<&Path>| {
        let config = RedisConfig {
            url: url.into(),
            ca_file: ca_file.map(Path::to_owned),
            ..shared.config()
        };
        config.check().await?;
        shared.open_at(&config).await
    };
    let url = redis.url(&TlsRedis::login(), "127.0.0.1");
    let guard = open(url.clone(), Some(&authority)).await.expect("a guard");
    shared.claim(&guard, "nonce-1").await.expect("fresh");
    let other = open(url.clone(), Some(&authority)).await.expect("a guard");
    let again = shared.claim(&other, "nonce-1").await;
    assert!(matches!(again, Err(ClaimError::Replayed)), "{again:?}");

    let strange = Certificates::new().expect("openssl");
    let empty = strange.authority().with_file_name("empty.pem");
    std::fs::write(&empty, "").expect("written");
    let missing = empty.with_file_name("missing.pem");
    let elsewhere = redis.url(&TlsRedis::login(), "localhost");
    let guessed = redis.url("ada:guessed", "127.0.0.1");
    for (url, ca_file, why) in [
        (url.clone(), None, "UnknownIssuer"),
        (
            url.clone(),
            Some(strange.authority()),
            "invalid peer certificate",
        ),
        (url.clone(), Some(empty), "it has none"),
        (url, Some(missing), "No such file"),
        (elsewhere, Some(authority.clone()), "not valid for name"),
        (guessed, Some(authority), "Password authentication failed"),
    ] {
        let Err(error) = open(url, ca_file.as_deref()).await else {
            panic!("{why}");
        };
        let said = error.to_string();
        assert!(
            said.contains(why) && !said.contains("guessed"),
            "{why}: {said}"
        );
    }
}
