//! The types of all settings.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::keys::Keys;
use super::layers::SettingsSources;
use charter_authn::access_clients::AccessToken;
use charter_authn::limits::LimitsConfig;
use charter_authn::limits::rate_limit::RateLimitsConfig;
use charter_authn::nonces::Bounds;
use charter_budgets::{Resource, Share};
use charter_decision_log::{MaskStyle, Overflow, RotationLimits};
use charter_http::edge::config::EdgeConfig;
use charter_http::edge::request_log::RequestLog;
use charter_policy::gates::GateRequirement;
use charter_store::ConnectionConfig;

/// All settings. `Debug` shows no secret.
#[derive(Debug)]
pub struct Settings {
    /// `charter serve --demo`
    pub is_demo: bool,
    /// For data that must survive a restart, besides the database.
    pub data_dir: PathBuf,
    /// Interval at which the audit heads and the decision log are synced to disk.
    pub sync_within: Duration,
    /// `[server]`
    pub server: Server,
    /// `[access]`
    pub access: Access,
    /// `[database]`
    pub database: Database,
    /// `[policies]`
    pub policies: Policies,
    /// `[decisions]`
    pub decisions: Decisions,
    /// `[signing]`
    pub signing: Signing,
    /// `[replay]`
    pub replay: Replay,
    /// `[rate_limits]`
    pub rate_limits: RateLimitsConfig,
    /// `[budgets]`: each organization's shares; resources without an entry are unlimited.
    pub budgets: Vec<(Resource, Share)>,
    /// `[keys]`; `None` if none is set. See [`Settings::require_keys`].
    pub keys: Option<Keys>,
    /// `[log]`
    pub log: Log,
    /// `[telemetry]`
    pub telemetry: Telemetry,
    /// `[portal]`
    pub portal: Portal,
    /// `[mail]`
    pub mail: Mail,
    pub sources: SettingsSources,
}

#[derive(Debug)]
pub struct Server {
    /// The listener for clients.
    pub listen: SocketAddr,
    /// The listener for operators.
    pub ops_listen: SocketAddr,
    pub edge: EdgeConfig,
    /// Bearer token of operators' programs; without it they cannot query permissions.
    pub ops_token: Option<SecretString>,
}

/// The policy decision point (contract section 7).
#[derive(Debug)]
pub struct Access {
    /// A separate listener; `None` serves it on the operators' listener only.
    pub listen: Option<SocketAddr>,
    /// Its public address, for its metadata; `None` takes the requested host.
    pub base_url: Option<String>,
    /// Without tokens, all requests are refused.
    pub tokens: Vec<AccessToken>,
}

#[derive(Debug)]
pub struct Database {
    pub connection: ConnectionConfig,
    pub cache: CacheMemory,
    /// Time to wait at start for the database to come up.
    pub start_timeout: Duration,
}

/// Approximate memory for cached rows and derived data, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct CacheMemory(pub u64);

impl CacheMemory {
    /// The part for the keys of service accounts.
    #[must_use]
    pub const fn keys(self) -> u64 {
        self.0 / 8 * 3
    }

    /// The part for what the decision point was asked about.
    #[must_use]
    pub const fn questions(self) -> u64 {
        self.0 / 16
    }

    /// The part for sessions.
    #[must_use]
    pub const fn sessions(self) -> u64 {
        self.0 / 16
    }

    /// The part for principals as Cedar entities.
    #[must_use]
    pub const fn principals(self) -> u64 {
        self.0 / 2
    }
}

#[derive(Debug)]
pub struct Policies {
    pub dir: PathBuf,
    /// Whether a folder's examples must pass before it takes effect.
    pub tests: GateRequirement,
    /// Minimal percentage of policies that the examples must cover.
    pub min_coverage: u8,
    /// Whether a folder's invariants must be proved before it takes effect.
    pub proofs: GateRequirement,
    /// The solver's executable; `None` searches the path.
    pub solver: Option<PathBuf>,
    /// The search path for programs; `None` is the system's default.
    pub search_path: Option<OsString>,
    pub manifest: bool,
    /// Whether an edit that allows more requires approval.
    pub hold_widening: bool,
    /// Number of required approvals.
    pub approvals: usize,
    /// The approver's name if the command does not give it.
    pub operator: Option<String>,
    pub start: PolicyStart,
    /// Time limit of the checks of one edit.
    pub check_timeout: Duration,
    /// Additional time for each policy.
    pub check_timeout_per_policy: Duration,
    /// The folder of shadow policies.
    pub shadow: Option<PathBuf>,
}

/// What happens if the policy folder is refused at start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PolicyStart {
    /// The policies that were in force before take effect again.
    #[default]
    LastAccepted,
    /// The service does not start.
    Strict,
}

#[derive(Debug)]
pub struct Decisions {
    pub enabled: bool,
    pub dir: PathBuf,
    /// What to do if decisions arrive faster than they can be written.
    pub overflow: Overflow,
    /// Limit of decisions that wait to be written.
    pub queue: usize,
    /// When a new file is started, and how long files are kept.
    pub limits: RotationLimits,
    /// Limit of allowed decisions of one kind written in a second; 0 for all.
    pub allowed_per_second: u64,
    /// Fields of a record that are masked.
    pub mask: Vec<String>,
    pub mask_style: MaskStyle,
}

/// Signed requests (contract section 3).
#[derive(Debug)]
pub struct Signing {
    /// Largest allowed difference between `x-date` and the server's clock.
    pub max_skew: Duration,
}

/// The replay guard (contract section 3).
#[derive(Debug)]
pub struct Replay {
    /// Where used nonces are stored.
    pub store: ReplayStore,
    /// Their maximal number.
    pub bounds: Bounds,
    /// Another process takes the database over if this one has not renewed its lease for this long.
    pub lease: Duration,
}

impl Replay {
    /// Whether several processes may serve the database.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        matches!(self.store, ReplayStore::Redis { .. })
    }
}

/// Where used nonces are stored.
#[derive(Debug)]
pub enum ReplayStore {
    /// In this process, with a journal in the data directory.
    Memory,
    /// In Redis, shared by several processes.
    Redis {
        /// Of a server or of sentinels; may hold a password.
        url: SecretString,
        /// The authorities trusted under TLS; `None` is what the machine trusts.
        ca_file: Option<PathBuf>,
    },
}

#[derive(Debug)]
pub struct Log {
    pub format: LogFormat,
    /// A level or filter directives.
    pub level: String,
    /// Which requests are logged.
    pub requests: RequestLog,
}

/// Export of spans to an OpenTelemetry collector.
#[derive(Debug)]
pub struct Telemetry {
    /// The collector's base address; `None` disables the export.
    pub otlp_endpoint: Option<String>,
    /// The share of requests that are exported, from 0 to 1.
    pub sampling_ratio: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Readable text.
    Human,
    /// One JSON object a line.
    Json,
    /// Readable text on a terminal, JSON elsewhere.
    #[default]
    Auto,
}

/// The portal's web addresses and its limits on anonymous clients (contract section 5).
#[derive(Debug)]
pub struct Portal {
    /// The public address; `None` means the clients' listener over plain http.
    pub base_url: Option<String>,
    /// Further web origins that may send credentials, in serialized form (RFC 6454).
    pub origins: Vec<String>,
    /// Whether anyone may register an organization; otherwise only operators create them.
    pub registration_is_open: bool,
    /// Limits on anonymous clients.
    pub limits: LimitsConfig,
    /// When unverified registrations are deleted.
    pub unverified_expire_after: Duration,
    /// Limit of concurrent password hashes, each with 19 MiB; 0 is half the number of processors.
    pub hashes_at_once: usize,
}

#[derive(Debug)]
pub struct Mail {
    /// The sender's address.
    pub from: String,
    /// The host name for the mail server's greeting; `None` takes the host of `portal.base_url` or the machine's
    /// name.
    pub helo: Option<String>,
    /// `smtps://…` or `smtp://…`, may contain a password; `None` writes files instead.
    pub smtp_url: Option<SecretString>,
}
