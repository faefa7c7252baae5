//! PostgreSQL under TLS, as `sslmode` asks for it.

use test_support::process::{Home, Outcome};
use test_support::services::certificates::Certificates;
use test_support::services::private_postgres::PrivatePostgres;

#[test]
fn a_server_is_trusted_by_its_certificate_and_name() {
    let Some(certificates) = Certificates::new() else {
        return;
    };
    let Some(server) = PrivatePostgres::start(Some(&certificates)) else {
        return;
    };
    let authority = certificates.authority().display().to_string();
    let migrate = |host: &str, parameters: &str| -> Outcome {
        let url = PrivatePostgres::url(host, server.port(), parameters);
        let home = Home::new()
            .with("CHARTER__DATABASE__URL", &url)
            .with("CHARTER__DATABASE__START_TIMEOUT", "0s");
        let file = home.file("charter.toml");
        let keys = home.run(&["keys", "generate"]).success();
        std::fs::write(&file, keys).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&file, mode).expect("its mode");
        home.run(&["migrate", &format!("--config={}", file.display()), "up"])
    };
    let trusted = format!("sslmode=verify-full&sslrootcert={authority}");
    migrate("127.0.0.1", &trusted).success();
    // The certificate is for an address, not for this name.
    let by_authority = format!("sslmode=verify-ca&sslrootcert={authority}");
    migrate("localhost", &by_authority).success();
    for (host, parameters, why) in [
        ("localhost", &*trusted, "certificate"),
        ("127.0.0.1", "sslmode=verify-full", "certificate"),
        ("127.0.0.1", "sslmode=disable", "no encryption"),
    ] {
        let refused = migrate(host, parameters);
        assert_ne!(refused.code, Some(0), "{host} {parameters}");
        assert!(
            refused.err.contains(why),
            "{host} {parameters}: {}",
            refused.err
        );
    }
}
