//! The values that an operator can set, section by section.

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
use charter_http::edge::request_log::RequestLog;
use charter_http::edge::service::EdgeConfig;
use charter_store::ConnectionConfig;

/// Everything an operator can set. `Debug` shows no secret.
#[derive(Debug)]
pub struct Settings {
    /// Where what must outlive a restart is kept, beside the database.
    pub data_dir: PathBuf,
    /// How soon lines of the audit heads and of the decision log are written through to the disk.
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
    /// `[budgets]`: what one organization may use; no entry is no limit.
    pub budgets: Vec<(Resource, Share)>,
    /// `[keys]`; `None` where nobody set any. What serves needs them: [`Settings::require_keys`].
    pub keys: Option<Keys>,
    /// `[log]`
    pub log: Log,
    /// `[telemetry]`
    pub telemetry: Telemetry,
    /// `[portal]`
    pub portal: Portal,
    /// `[mail]`
    pub mail: Mail,
    /// Where the settings come from.
    pub sources: SettingsSources,
}

/// The listeners and their limits.
#[derive(Debug)]
pub struct Server {
    /// The clients' listener.
    pub listen: SocketAddr,
    /// The operators' listener.
    pub ops_listen: SocketAddr,
    /// Limits of the listeners.
    pub edge: EdgeConfig,
    /// What operators' programs show to ask about permissions; `None` lets nobody ask.
    pub ops_token: Option<SecretString>,
}

/// The policy decision point (contract section 7).
#[derive(Debug)]
pub struct Access {
    /// A listener of its own; `None` serves it on the operators' listener only.
    pub listen: Option<SocketAddr>,
    /// Where its clients reach it, for its metadata; `None` takes the host that a client asked.
    pub base_url: Option<String>,
    /// Without any, nobody may ask.
    pub tokens: Vec<AccessToken>,
}

/// The database and its connections.
#[derive(Debug)]
pub struct Database {
    pub connection: ConnectionConfig,
    /// What is kept of it in memory.
    pub cache: CacheMemory,
    /// Time to wait at start for a database that is not up yet.
    pub start_timeout: Duration,
}

/// Bytes of memory for rows in use and what is made of them, about.
#[derive(Debug, Clone, Copy)]
pub struct CacheMemory(pub u64);

impl CacheMemory {
    /// For the keys of service accounts.
    #[must_use]
    pub const fn keys(self) -> u64 {
        self.0 / 8 * 3
    }

    /// For sessions.
    #[must_use]
    pub const fn sessions(self) -> u64 {
        self.0 / 8
    }

    /// For either as policies see it.
    #[must_use]
    pub const fn principals(self) -> u64 {
        self.0 / 2
    }
}

/// The policy folder.
#[derive(Debug)]
pub struct Policies {
    /// The folder with the schema and the policies.
    pub dir: PathBuf,
    /// Whether a folder's examples are run before it decides.
    pub tests: Requirement,
    /// The least share of policies that some example must exercise, in percent.
    pub min_coverage: u8,
    /// Whether a folder's invariants are proved before it decides.
    pub proofs: Requirement,
    /// The solver's program; `None` looks for it on the path.
    pub solver: Option<PathBuf>,
    /// Where programs are looked for; `None` is the system's own choice.
    pub search_path: Option<OsString>,
    /// Whether a folder must have a manifest.
    pub manifest: bool,
    /// Whether an edit that allows more waits for an approval.
    pub hold_widening: bool,
    /// How many people must approve.
    pub approvals: usize,
    /// Who approves, where the command does not say.
    pub operator: Option<String>,
    /// What happens at start to a folder that is not taken.
    pub start: PolicyStart,
    /// Time for the checks of one edit.
    pub check_timeout: Duration,
    /// So much more for each policy.
    pub check_timeout_per_policy: Duration,
    /// A folder that is asked beside it and decides nothing.
    pub shadow: Option<PathBuf>,
}

/// What happens at start to a policy folder that is not taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PolicyStart {
    /// What was in force before is in force again.
    #[default]
    LastAccepted,
    /// The service does not start.
    Strict,
}

/// Whether a check is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Requirement {
    #[default]
    /// Where this machine can; where it cannot, that is told.
    Auto,
    /// It is; where it cannot be, nothing passes.
    Required,
    /// It is not.
    Off,
}

/// The decision log.
#[derive(Debug)]
pub struct Decisions {
    /// Whether decisions are logged.
    pub enabled: bool,
    /// Where.
    pub dir: PathBuf,
    /// What happens when they come faster than they can be written.
    pub overflow: Overflow,
    /// Decisions that wait to be written, at most.
    pub queue: usize,
    /// When another file is begun, and how long files are kept.
    pub limits: RotationLimits,
    /// Allowed decisions of one kind that are written in a second; 0 for all.
    pub allowed_per_second: u64,
    /// Parts of a record that are masked.
    pub mask: Vec<String>,
    /// What stands in their place.
    pub mask_style: MaskStyle,
}

/// Signed requests (contract section 3).
#[derive(Debug)]
pub struct Signing {
    /// How far `x-date` may lie from the server's clock, either way.
    pub max_skew: Duration,
}

/// The replay guard (contract section 3).
#[derive(Debug)]
pub struct Replay {
    /// Where used nonces are remembered.
    pub store: ReplayStore,
    /// How many of them.
    pub bounds: Bounds,
    /// How long another process waits for a sign of this one before it takes the database over.
    pub lease: Duration,
}

impl Replay {
    /// Whether several processes may serve the database.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        matches!(self.store, ReplayStore::Redis { .. })
    }
}

/// Where used nonces are remembered.
#[derive(Debug)]
pub enum ReplayStore {
    /// In this process, with a journal in the data directory.
    Memory,
    /// In Redis, shared by several processes.
    Redis {
        /// `redis://…` or `rediss://…`; may hold a password.
        url: SecretString,
    },
}

/// What is logged, and how.
#[derive(Debug)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// A level or filter directives; `telemetry` reads them.
    pub level: String,
    /// Which requests have a line.
    pub requests: RequestLog,
}

/// Spans for an OpenTelemetry collector.
#[derive(Debug)]
pub struct Telemetry {
    /// The collector's base address; `None` exports nothing.
    pub otlp_endpoint: Option<String>,
    /// The share of requests that are exported, from 0 to 1.
    pub sampling_ratio: f64,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
    /// Human on a terminal, JSON elsewhere.
    Auto,
}

/// The portal's web addresses and its limits on strangers (contract section 5).
#[derive(Debug)]
pub struct Portal {
    /// Where people reach the API; `None` means the clients' listener over plain http.
    pub base_url: Option<String>,
    /// Other web origins that may call with credentials, in their serialized form (RFC 6454).
    pub origins: Vec<String>,
    /// Whether anybody may register an organization; else only operators make them.
    pub registration_is_open: bool,
    /// What anonymous clients may do.
    pub limits: LimitsConfig,
    /// How long a registration is kept whose owner does not verify the address.
    pub unverified_expire_after: Duration,
    /// Passwords hashed at once, each with 19 MiB; 0 is half as many as processors.
    pub hashes_at_once: usize,
}

/// How mail is sent.
#[derive(Debug)]
pub struct Mail {
    /// Whom it is from.
    pub from: String,
    /// What the service calls itself towards the mail server; `None` takes the host of
    /// `portal.base_url` or the machine's name.
    pub helo: Option<String>,
    /// `smtps://…` or `smtp://…`, may hold a password; `None` writes files instead.
    pub smtp_url: Option<SecretString>,
}
