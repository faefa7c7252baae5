//! The layers, the faults, and that no secret is ever shown.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::error::SettingsError;
use super::key_file::IfMissing;
use super::{LogFormat, ReplayStore, Settings, key_file, keys};
use charter_domain::entropy::{Entropy, OsEntropy};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn read(toml: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Settings::from_sources(toml, environment.iter().map(owned))
}

fn message(toml: &str, environment: &[(&str, &str)]) -> String {
    read(toml, environment).expect_err("refused").to_string()
}

#[test]
fn the_defaults_are_complete_and_without_keys() {
    let settings = read("", &[]).expect("the defaults stand by themselves");
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.server.edge.body.max_bytes, 64 * 1024);
    assert_eq!(settings.signing.max_skew, Duration::from_mins(5));
    assert_eq!(
        settings.database.connection.url.expose_secret(),
        "sqlite://data/charter.db"
    );
    assert!(matches!(settings.replay.store, ReplayStore::Memory));
    assert_eq!(settings.replay.bounds.per_key, 1_000_000);
    assert!(settings.keys.is_none());
    let missing = settings.require_keys().expect_err("no keys").to_string();
    assert!(missing.contains("charter keys generate"), "{missing}");
}

#[test]
fn a_log_level_that_is_none_is_refused_with_those_that_are() {
    for level in [
        "info",
        "WARN",
        "off",
        "warn,charter=debug",
        "warn,charter[request]=trace",
    ] {
        let text = format!("[log]\nlevel = '{level}'");
        assert_eq!(read(&text, &[]).expect(level).log.level, level);
    }
    for level in [
        "",
        "verbose",
        "info,verbose",
        "charter=verbose",
        "warn,",
        "charter=",
        "chartr=debug",
        "charter[request]=trace",
    ] {
        let refused = message(&format!("[log]\nlevel = '{level}'"), &[]);
        assert!(
            refused.contains("log.level") && refused.contains("`info"),
            "{refused}"
        );
    }
}

#[test]
fn every_default_is_explained() {
    let mut previous = "";
    for line in super::DEFAULTS.lines() {
        let is_key = line.contains(" = ") && !line.starts_with('#');
        let explained = previous.starts_with('#')
            // `…_rate` and `…_burst` share one explanation.
            || ["_burst", "organization_rate", "_per_quarter_hour", "forgot_password"].iter().any(|part| line.contains(part));
        assert!(!is_key || explained, "`{line}` has no comment above it");
        previous = line;
    }
}

#[test]
fn the_environment_beats_the_file_and_the_file_beats_the_defaults() {
    let file =
        "[server]\nlisten = '127.0.0.1:1'\nops_listen = '127.0.0.1:2'\n[log]\nformat = 'json'";
    let environment = [
        ("CHARTER__SERVER__LISTEN", "127.0.0.1:3"),
        ("CHARTER__DATA_DIR", "/srv/50%?"),
        ("CHARTER__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("CHARTER__SERVER__BODY_LIMIT", "70_000"),
        ("CHARTER__RATE_LIMITS__KEY_RATE", "0"),
    ];
    let settings = read(file, &environment).expect("well-formed");
    assert_eq!(settings.server.listen.port(), 3);
    assert_eq!(settings.server.ops_listen.port(), 2);
    assert_eq!(settings.server.edge.body.max_bytes, 70_000);
    assert_eq!(settings.server.edge.trusted_proxies.len(), 2);
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.data_dir, Path::new("/srv/50%?"));
    let url = settings.database.connection.url.expose_secret();
    assert_eq!(url, "sqlite:///srv/50%25%3F/charter.db");
    assert_eq!(settings.rate_limits.key, None);
    assert!(settings.rate_limits.organization.is_some());
}

#[test]
fn all_faults_are_told_at_once_with_their_key_origin_and_remedy() {
    let file = "data_dri = 'x'\n[server]\nlisten = 'localhost:80'\nmax_connections = 'many'\n\
                [signing]\nmax_skew = '2h'\n[servr]\n[log]\nformat = 3";
    let environment = [
        ("CHARTER__SERVER__LISTN", "127.0.0.1:1"),
        ("CHARTER__LOG", "info"),
        ("CHARTER__REPLAY__STORE", "redis"),
        ("CHARTER__PORTAL__ORIGINS", "https://a.example/path"),
        ("CHARTER__SERVER__BODY_LIMIT", "-1"),
        ("CHARTER__SERVER__REQUEST_DEADLINE", "1s"),
        ("CHARTER__SERVER__TRUSTED_PROXIES", "10.0.0.1/8,nowhere"),
    ];
    insta::assert_snapshot!(message(file, &environment));
}

#[test]
fn what_is_no_number_or_duration_is_told_with_the_range_in_one_unit() {
    for (key, range) in [
        ("CHARTER__SIGNING__MAX_SKEW", "from `1s` to `1h`"),
        ("CHARTER__SYNC_WITHIN", "from `100ms` to `5m`"),
        ("CHARTER__SERVER__SHUTDOWN_DRAIN", "from `0s` to `10m`"),
        ("CHARTER__DECISIONS__KEEP_FOR", "from `1m` to `40000d`"),
        ("CHARTER__SERVER__BODY_LIMIT", "from 1024 to 16777216"),
    ] {
        for wrong in ["soon", "99999999999s"] {
            let told = message("", &[(key, wrong)]);
            assert!(told.contains(range), "{told}");
        }
    }
}

#[test]
fn a_document_that_does_not_parse_is_shown_with_line_and_caret() {
    insta::assert_snapshot!(message("[server]\nlisten = 127.0.0.1\n", &[]));
}

#[test]
fn a_parse_error_does_not_quote_a_secret() {
    let text = message(&format!("[keys]\nsealing = [\"a:{KEY}\n"), &[]);
    assert!(!text.contains("ECAwQFBg"), "{text}");
    let text = message("[database]\nurl = \"postgres://u:hunter2@h/db\n", &[]);
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn neither_debug_nor_a_fault_shows_a_secret() {
    let replay = KEY.replace("AAEC", "BBEC");
    let audit = KEY.replace("AAEC", "CCEC");
    let token = KEY.replace("AAEC", "DDEC");
    let refresh = KEY.replace("AAEC", "EEEC");
    let (sealing, audit, replay) = (
        format!("seal-1:{KEY}"),
        format!("audit-1:{audit}"),
        format!("replay-1:{replay}"),
    );
    let (token, refresh) = (format!("token-1:{token}"), format!("refresh-1:{refresh}"));
    let environment = [
        ("CHARTER__KEYS__SEALING", sealing.as_str()),
        ("CHARTER__KEYS__AUDIT", audit.as_str()),
        ("CHARTER__KEYS__REPLAY", replay.as_str()),
        ("CHARTER__KEYS__TOKEN", token.as_str()),
        ("CHARTER__KEYS__REFRESH", refresh.as_str()),
        (
            "CHARTER__SERVER__OPS_TOKEN",
            "hunter4-hunter4-hunter4-hunter4-",
        ),
        ("CHARTER__MAIL__FROM", "charter@example.com"),
        (
            "CHARTER__MAIL__SMTP_URL",
            "smtps://charter:hunter5@mail.example.com",
        ),
        (
            "CHARTER__DATABASE__URL",
            "postgres://charter:hunter2@db/charter",
        ),
        ("CHARTER__REPLAY__STORE", "redis"),
        ("CHARTER__REPLAY__URL", "redis://:hunter3@cache:6379"),
    ];
    let settings = read("", &environment).expect("well-formed");
    let shown = format!("{settings:?} {settings:#?}");
    for secret in ["hunter", "AQFBgcI", "1, 2, 3", "0x01"] {
        assert!(!shown.contains(secret), "`{secret}` in {shown}");
    }
    assert!(shown.contains("seal-1"), "ids may be shown");

    let mut broken = environment.to_vec();
    for value in [
        "hunter2",
        "x:hunter2",
        "x:aHVudGVyMg==",
        "X:hunter2",
        "x:hunter2:hunter2",
    ] {
        broken[0].1 = value;
        broken[3].1 = "mysql://u:hunter2@h";
        broken[5].1 = "http://hunter2";
        let text = message("", &broken);
        assert!(
            !text.contains("hunter2") && !text.contains("aHVu"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 4, "{text}");
    }
}

#[test]
fn a_set_of_keys_that_lacks_one_or_uses_one_twice_is_refused() {
    let one = format!("k:{KEY}");
    let text = message("", &[("CHARTER__KEYS__SEALING", &one)]);
    assert!(
        text.contains("`keys.audit`: is missing") && text.contains("`keys.replay`: is missing"),
        "{text}"
    );
    let twice = format!("k:{KEY},k:{}", KEY.replace("AAEC", "BBEC"));
    let text = message(
        "",
        &[
            ("CHARTER__KEYS__SEALING", &twice),
            ("CHARTER__KEYS__AUDIT", &one),
        ],
    );
    assert!(
        text.contains("two keys with the id `k`") && text.contains("each key has one purpose"),
        "{text}"
    );
}

/// Counts up, so that the keys differ and the text can be compared.
struct Counting(std::sync::atomic::AtomicU8);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

#[test]
fn generated_keys_are_read_back() {
    let text = keys::generate(&Counting(7.into()));
    insta::assert_snapshot!(text.as_str());
    let settings = read(&text, &[]).expect("what is generated is well-formed");
    let keys = settings.require_keys().expect("all are there");
    assert_eq!(keys.sealing[0].expose()[..3], [7, 8, 9]);
    assert_eq!((keys.token.len(), keys.refresh.len()), (1, 1));
    assert!(keys.replay.id().starts_with("replay-"));
}

#[test]
fn the_demo_makes_its_keys_once_and_only_its_owner_may_read_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    assert!(
        key_file::open(&data, IfMissing::Leave)
            .expect("nothing there")
            .is_none()
    );
    let (_, draft) = key_file::open(&data, IfMissing::Draft(&OsEntropy))
        .expect("made up")
        .expect("a text");
    assert!(read(&draft, &[]).expect("well-formed").keys.is_some());
    assert!(!data.exists(), "a draft is no file");
    let (_, first) = key_file::open(&data, IfMissing::Make(&OsEntropy))
        .expect("made")
        .expect("a text");
    for if_missing in [
        IfMissing::Leave,
        IfMissing::Make(&OsEntropy),
        IfMissing::Draft(&OsEntropy),
    ] {
        let (_, again) = key_file::open(&data, if_missing)
            .expect("read")
            .expect("a text");
        assert_eq!(again, first, "a later start keeps the keys");
    }
    let settings = read(&first, &[]).expect("well-formed");
    assert!(settings.keys.is_some() && settings.server.ops_token.is_some());
    assert_ne!(first, draft, "each demo has its own");

    let path = data.join("keys.toml");
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
    assert_eq!(
        std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    mode(0o640).expect("changed");
    let refused =
        key_file::open(&data, IfMissing::Make(&OsEntropy)).expect_err("others may read it");
    assert!(refused.to_string().contains("chmod 600"), "{refused}");
}

#[test]
fn the_demo_refuses_to_listen_beyond_loopback() {
    let sources = |listen: &str| {
        let environment = ["LISTEN", "OPS_LISTEN"]
            .map(|key| (format!("CHARTER__SERVER__{key}"), format!("{listen}:0")));
        super::Sources::from_texts("", environment)
    };
    for beyond in ["0.0.0.0", "[::]", "192.0.2.1", "[::ffff:192.0.2.1]"] {
        let refused = Settings::resolve(&sources(beyond), true).expect_err(beyond);
        assert_eq!(refused.faults().len(), 2, "{refused}");
        assert!(Settings::resolve(&sources(beyond), false).is_ok());
    }
    for here in ["127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]"] {
        assert!(Settings::resolve(&sources(here), true).is_ok(), "{here}");
    }
}

#[test]
fn networks_that_together_are_the_internet_are_not_trusted() {
    for all in [
        "0.0.0.0/0",
        "::/0",
        "0.0.0.0/1,128.0.0.0/1",
        "128.0.0.0/1,10.0.0.0/8,64.0.0.0/2,0.0.0.0/2",
        "::/1,8000::/1",
        "::ffff:0.0.0.0/96",
        "::ffff:0.0.0.0/97,::ffff:128.0.0.0/97",
        "::ffff:0.0.0.0/97,128.0.0.0/1",
    ] {
        let text = message("", &[("CHARTER__SERVER__TRUSTED_PROXIES", all)]);
        assert!(
            text.contains("server.trusted_proxies") && text.contains("list the proxies"),
            "`{all}`: {text}"
        );
    }
    for (some, first) in [
        ("0.0.0.0/1,8000::/1", "0.0.0.0/1"),
        ("0.0.0.0/1,128.0.0.0/2", "0.0.0.0/1"),
        // As clients' addresses are.
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
    ] {
        let settings = read("", &[("CHARTER__SERVER__TRUSTED_PROXIES", some)]).expect(some);
        assert_eq!(settings.server.edge.trusted_proxies[0].to_string(), first);
    }
}

#[test]
fn a_section_whose_keys_are_all_commented_out_is_valid() {
    let text = "[portal]\n# base_url = \"https://portal.example.com\"\n[mail]\n";
    assert_eq!(read(text, &[]).expect("valid").portal.base_url, None);
    let unknown = message("[portals]\n", &[]);
    assert!(unknown.contains("`portals`"), "{unknown}");
}

#[test]
fn faults_say_what_their_own_setting_takes() {
    for (text, told) in [
        (
            "[keys]\nreplay = 3",
            "`keys.replay` (set in `the configuration`): expected a string",
        ),
        (
            "[telemetry]\notlp_endpoint = 'collector'",
            "write one such as `http://127.0.0.1:4318`",
        ),
        (
            "[mail]\nfrom = 'nobody'",
            "`mail.from` (set in `the configuration`): `nobody` is not an address such as",
        ),
        (
            "[mail]\nsmtp_url = 'smtps://a..b%00'",
            "`mail.smtp_url` (set in `the configuration`): expected",
        ),
    ] {
        let refused = message(text, &[]);
        assert!(refused.contains(told), "{refused}");
        assert!(!refused.contains("Invalid input"), "{refused}");
    }
}

#[test]
fn an_international_mail_server_is_asked_for_by_its_ascii_name() {
    let text = "[mail]\nfrom = 'a@b.example'\nsmtp_url = 'smtp://me:p%40ss@bücher.example:587?tls=required'";
    let url = read(text, &[]).expect("valid").mail.smtp_url.expect("set");
    let ascii = "smtp://me:p%40ss@xn--bcher-kva.example:587?tls=required";
    assert_eq!(url.expose_secret(), ascii);
}
