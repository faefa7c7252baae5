//! Parses each section: types, ranges and consistency of keys.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use super::layers::SettingsSources;
use super::reader::Reader;
use super::tokens::{SHORTEST_TOKEN, of_token};
use super::values::{
    CacheMemory, Database, Log, LogFormat, Policies, PolicyStart, Portal, Replay, ReplayStore,
    Server, Settings, Signing, Telemetry,
};
use super::web_address::web_address;
use super::{access, budgets, decisions, keys, log_level, mail};
use charter_authn::limits::LimitsConfig;
use charter_authn::limits::rate_limit::{Rate, RateLimitsConfig};
use charter_authn::nonces::Bounds;
use charter_budgets::{Resource, Share};
use charter_http::edge::body_limits::{BodyLimits, BodyMemory};
use charter_http::edge::config::{EdgeConfig, FixedLimits};
use charter_http::edge::request_log::RequestLog;
use charter_policy::gates::GateRequirement;
use charter_store::ConnectionConfig;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const MEBIBYTE: usize = 1024 * 1024;
const GIBIBYTE: usize = 1024 * MEBIBYTE;
/// For memory limits.
const MEBIBYTES: std::ops::RangeInclusive<u64> = 1024 * 1024..=1024 * 1024 * 1024 * 1024;
const DAY: Duration = Duration::from_hours(24);
/// Maximum of the limits on anonymous clients.
const MAX_TRIES: usize = 10_000;
const TENTH: Duration = Duration::from_millis(100);

pub(super) fn read(reader: &mut Reader) -> Settings {
    let data_dir = directory(reader, "data_dir");
    let budgets = budgets::read(reader);
    let server = server(reader);
    Settings {
        is_demo: false,
        access: access::read(reader, [server.listen, server.ops_listen]),
        server,
        database: database(reader, &data_dir),
        policies: policies(reader),
        decisions: decisions::read(reader, &data_dir),
        signing: Signing {
            max_skew: reader.duration("signing.max_skew", SECOND..=60 * MINUTE),
        },
        replay: replay(reader),
        rate_limits: RateLimitsConfig {
            key: rate_limit(reader, "rate_limits.key_rate", "rate_limits.key_burst"),
            organization: rate_limit(
                reader,
                "rate_limits.organization_rate",
                "rate_limits.organization_burst",
            ),
        },
        keys: keys::read(reader),
        log: log(reader),
        telemetry: telemetry(reader),
        portal: portal(reader, &budgets),
        budgets,
        mail: mail::read(reader),
        sources: SettingsSources::default(),
        sync_within: reader.duration("sync_within", TENTH..=5 * MINUTE),
        data_dir,
    }
}

fn server(reader: &mut Reader) -> Server {
    let server = Server {
        listen: address(reader, "server.listen"),
        ops_listen: address(reader, "server.ops_listen"),
        edge: EdgeConfig {
            trusted_proxies: trusted_proxies(reader),
            max_connections: reader.number("server.max_connections", 1..=1_000_000),
            max_connections_per_peer: reader
                .number("server.max_connections_per_peer", 1..=1_000_000),
            max_streams: reader.number("server.max_streams", 1..=1_000),
            max_requests_per_connection: reader
                .number("server.max_requests_per_connection", 1..=1_000_000_000),
            idle_timeout: reader.duration("server.idle_timeout", SECOND..=60 * MINUTE),
            body: BodyLimits {
                max_bytes: reader.number("server.body_limit", 1024..=16 * MEBIBYTE),
                memory: BodyMemory::new(
                    reader.number("server.body_memory", MEBIBYTE..=1024 * GIBIBYTE),
                ),
                deadline: reader.duration("server.body_deadline", TENTH..=5 * MINUTE),
            },
            answer_memory: reader.number("server.answer_memory", MEBIBYTE..=1024 * GIBIBYTE),
            request_deadline: reader.duration("server.request_deadline", TENTH..=10 * MINUTE),
            drain: reader.duration("server.shutdown_drain", Duration::ZERO..=10 * MINUTE),
            graceful_timeout: reader
                .duration("server.shutdown_grace", Duration::ZERO..=10 * MINUTE),
            fixed: FixedLimits::default(),
            reserved_connections: 0,
            requests: RequestLog::Failed,
            traces: false,
        },
        ops_token: ops_token(reader),
    };
    if server.edge.request_deadline < server.edge.body.deadline {
        reader.disagreement(
            "server.request_deadline",
            "is shorter than `server.body_deadline`, which is a part of it: give at least as much",
        );
    }
    if server.edge.body.memory.bytes() < server.edge.body.max_bytes {
        reader.disagreement(
            "server.body_memory",
            "is less than `server.body_limit`, one body: give at least as much",
        );
    }
    if server.listen == server.ops_listen && server.listen.port() != 0 {
        reader.disagreement(
            "server.ops_listen",
            "is the same as `server.listen`: give another port",
        );
    }
    server
}

fn ops_token(reader: &mut Reader) -> Option<SecretString> {
    reader.parsed("server.ops_token", None, |text| match text {
        "" => Ok(None),
        text if text.len() >= SHORTEST_TOKEN && text.bytes().all(of_token) => {
            Ok(Some(SecretString::from(text)))
        }
        _ => Err(format!(
            "must be at least {SHORTEST_TOKEN} characters of `A-Z a-z 0-9 - . _ ~ + / =`, such as \
             `openssl rand -hex 32` prints"
        )),
    })
}

fn database(reader: &mut Reader, data_dir: &Path) -> Database {
    let url = reader.parsed("database.url", String::new(), |text| {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            Some("sqlite" | "postgres" | "postgresql") => Ok(text.to_owned()),
            _ => Err("expected `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/NAME`".to_owned()),
        }
    });
    Database {
        connection: ConnectionConfig {
            url: SecretString::from(url.replace("{data_dir}", &in_a_url(data_dir))),
            max_readers: reader.number("database.max_readers", 1..=64),
            acquire_timeout: reader.duration("database.acquire_timeout", TENTH..=MINUTE),
            statement_timeout: reader.duration("database.statement_timeout", TENTH..=5 * MINUTE),
        },
        cache: CacheMemory(reader.number("database.cache_memory", MEBIBYTES)),
        start_timeout: reader.duration("database.start_timeout", Duration::ZERO..=60 * MINUTE),
    }
}

fn policies(reader: &mut Reader) -> Policies {
    let solver = reader.text("policies.solver");
    Policies {
        dir: directory(reader, "policies.dir"),
        tests: reader.choice("policies.tests", &REQUIREMENTS),
        min_coverage: reader.number("policies.min_coverage", 0..=100),
        proofs: reader.choice("policies.proofs", &REQUIREMENTS),
        solver: (!solver.is_empty()).then(|| PathBuf::from(solver)),
        search_path: None,
        manifest: reader.choice(
            "policies.manifest",
            &[("optional", false), ("required", true)],
        ),
        hold_widening: reader.choice("policies.widening", &[("free", false), ("approved", true)]),
        operator: None,
        approvals: reader.number("policies.approvals", 1..=2),
        start: reader.choice(
            "policies.start",
            &[
                ("last-accepted", PolicyStart::LastAccepted),
                ("strict", PolicyStart::Strict),
            ],
        ),
        check_timeout: reader.duration("policies.check_timeout", SECOND..=10 * MINUTE),
        check_timeout_per_policy: reader
            .duration("policies.check_timeout_per_policy", Duration::ZERO..=SECOND),
        shadow: reader.parsed("policies.shadow", None, |text| {
            Ok((!text.is_empty()).then(|| PathBuf::from(text)))
        }),
    }
}

const REQUIREMENTS: [(&str, GateRequirement); 3] = [
    ("auto", GateRequirement::IfPossible),
    ("required", GateRequirement::Required),
    ("off", GateRequirement::Off),
];

fn replay(reader: &mut Reader) -> Replay {
    let url = reader.parsed("replay.url", String::new(), |text| {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            Some("redis" | "rediss" | "redis+sentinel" | "rediss+sentinel") => Ok(text.to_owned()),
            None if text.is_empty() => Ok(String::new()),
            _ => Err(
                "expected `redis://HOST:PORT` or `redis+sentinel://HOST:PORT,HOST:PORT/NAME`, `rediss` for TLS"
                    .to_owned(),
            ),
        }
    });
    let is_redis = reader.choice("replay.store", &[("memory", false), ("redis", true)]);
    if is_redis && url.is_empty() {
        reader.disagreement("replay.url", "is needed when `replay.store` is `redis`");
    }
    let ca_file = reader.text("replay.ca_file");
    if !ca_file.is_empty() && !url.starts_with("rediss") {
        reader.disagreement(
            "replay.ca_file",
            "is for TLS: `replay.url` must begin with `rediss`",
        );
    }
    let total: usize = reader.number("replay.total", 1..=1_000_000_000);
    // With more than half, two organizations could lock out all others.
    let percent: usize = reader.number("budgets.nonces_percent", 1..=50);
    Replay {
        store: if is_redis {
            ReplayStore::Redis {
                ca_file: (!ca_file.is_empty()).then(|| PathBuf::from(ca_file)),
                url: SecretString::from(url),
            }
        } else {
            ReplayStore::Memory
        },
        bounds: Bounds {
            per_key: reader.number("replay.per_key_quota", 1..=100_000_000),
            total,
            per_organization: (total / 100 * percent + total % 100 * percent / 100).max(1),
        },
        lease: reader.duration("replay.lease", SECOND..=5 * MINUTE),
    }
}

fn rate_limit(reader: &mut Reader, rate: &str, burst: &str) -> Option<Rate> {
    let per_second = reader.number(rate, 0..=10_000_000);
    let burst = reader.number(burst, 1..=10_000_000);
    Some(Rate {
        per_second: NonZeroU32::new(per_second)?,
        burst: NonZeroU32::new(burst)?,
    })
}

fn log(reader: &mut Reader) -> Log {
    Log {
        format: reader.choice(
            "log.format",
            &[
                ("human", LogFormat::Human),
                ("json", LogFormat::Json),
                ("auto", LogFormat::Auto),
            ],
        ),
        level: reader.parsed("log.level", String::new(), |text| match text {
            "" => Err("is empty: give a level such as `info`".to_owned()),
            directives => log_level::directives(directives),
        }),
        requests: reader.choice(
            "log.requests",
            &[
                ("failed", RequestLog::Failed),
                ("none", RequestLog::None),
                ("all", RequestLog::All),
            ],
        ),
    }
}

const PORTAL: &str = "https://portal.example.com";

fn telemetry(reader: &mut Reader) -> Telemetry {
    Telemetry {
        otlp_endpoint: reader.parsed("telemetry.otlp_endpoint", None, |text| match text {
            "" => Ok(None),
            text => web_address(text, "http://127.0.0.1:4318").map(|_| Some(text.to_owned())),
        }),
        sampling_ratio: reader.parsed("telemetry.sampling_ratio", 1.0, |text| {
            text.parse::<f64>()
                .ok()
                .filter(|ratio| (0.0..=1.0).contains(ratio))
                .ok_or_else(|| format!("`{text}` is not a share: give a number from 0 to 1"))
        }),
    }
}

fn portal(reader: &mut Reader, shares: &[(Resource, Share)]) -> Portal {
    Portal {
        base_url: reader.parsed("portal.base_url", None, |text| match text {
            "" => Ok(None),
            text => web_address(text, PORTAL).map(|_| Some(text.trim_end_matches('/').to_owned())),
        }),
        origins: reader.parsed_list("portal.origins", |text| {
            let origin = web_address(text, PORTAL)?.origin().ascii_serialization();
            if text.trim_end_matches('/') == origin {
                Ok(origin)
            } else {
                Err(format!("`{text}` is not an origin: write `{origin}`"))
            }
        }),
        registration_is_open: reader
            .choice("portal.registration", &[("open", true), ("closed", false)]),
        limits: LimitsConfig {
            registrations_per_hour: reader.number("portal.register_per_hour", 0..=MAX_TRIES),
            failed_sign_ins_per_quarter_hour: reader
                .number("portal.failed_logins_per_quarter_hour", 0..=MAX_TRIES),
            forgotten_passwords_per_hour: reader
                .number("portal.forgot_password_per_hour", 0..=MAX_TRIES),
            refreshes_per_minute: reader.number("portal.refreshes_per_minute", 0..=MAX_TRIES),
            password_hashes_per_minute: budgets::password_hashes_of_one(shares),
        },
        unverified_expire_after: reader.duration("portal.unverified_expire_after", DAY..=366 * DAY),
        hashes_at_once: reader.number("portal.hashes_at_once", 0..=256),
    }
}

fn address(reader: &mut Reader, key: &str) -> SocketAddr {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    reader.parsed(key, nowhere, |text| {
        text.parse().map_err(|_| {
            format!("`{text}` is not an ip address and port: write one such as `127.0.0.1:8080`")
        })
    })
}

/// Trusted proxies name the client's address, so the list must not cover the whole internet, not even in parts.
fn trusted_proxies(reader: &mut Reader) -> Vec<IpNet> {
    let proxies = reader.parsed_list("server.trusted_proxies", |text| network(text).map(unmapped));
    let together = IpNet::aggregate(&proxies);
    if let Some(all) = together.iter().find(|network| network.prefix_len() == 0) {
        reader.disagreement(
            "server.trusted_proxies",
            format!(
                "has every address together, `{all}`, so that each client could name its own: list the proxies"
            ),
        );
    }
    proxies
}

/// IPv4-mapped networks count as IPv4, as addresses do.
fn unmapped(network: IpNet) -> IpNet {
    let (IpNet::V6(v6), Some(bits)) = (network, network.prefix_len().checked_sub(96)) else {
        return network;
    };
    let v4 = v6.network().to_ipv4_mapped();
    v4.and_then(|v4| IpNet::new(v4.into(), bits).ok())
        .unwrap_or(network)
}

fn network(text: &str) -> Result<IpNet, String> {
    let network: IpNet = match text.parse::<std::net::IpAddr>() {
        Ok(host) => IpNet::from(host),
        Err(_) => text
            .parse()
            .map_err(|_| format!("`{text}` is neither an ip address nor a network in CIDR form"))?,
    };
    if network == network.trunc() {
        Ok(network)
    } else {
        Err(format!(
            "`{text}` has host bits set: write `{}`",
            network.trunc()
        ))
    }
}

fn directory(reader: &mut Reader, key: &str) -> PathBuf {
    reader.parsed(key, PathBuf::new(), |text| match text {
        "" => Err("is empty: give a directory".to_owned()),
        path => Ok(PathBuf::from(path)),
    })
}

/// The path as part of a URL, in which `?` and `%` are special.
fn in_a_url(path: &Path) -> String {
    let text = path.display().to_string();
    text.replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23")
}
