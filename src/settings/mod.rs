//! Settings: plain values from layers, checked, with all faults reported together.
//!
//! Only this module reads the environment. Other crates take values, never [`Settings`]. The keys are documented
//! in `config/default.toml`, which is also the lowest layer and the list of known keys.

mod access;
mod budgets;
mod decisions;
mod environment;
pub mod error;
mod key_file;
pub mod keys;
mod layers;
mod log_level;
mod mail;
mod reader;
mod sections;
#[cfg(test)]
mod tests;
mod tokens;
mod values;
mod web_address;

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use charter_domain::entropy::OsEntropy;
pub use environment::{client_secret, is_run_by_cargo};
use error::{SettingsError, SettingsFault};
use key_file::IfMissing;
pub use key_file::path as demo_key_file;
use keys::Keys;
use layers::Sources;
pub use layers::{DEFAULTS, SettingsSources};
use reader::Reader;
pub use values::{
    Access, Database, Decisions, Log, LogFormat, Mail, Policies, PolicyStart, Portal, Replay,
    ReplayStore, Server, Settings, Signing, Telemetry,
};

impl Settings {
    /// Reads the defaults, `config_file` and the environment. If no keys are set, they are taken from
    /// `{data_dir}/keys.toml`; with `demo` that file is created if it is missing. The error has the faults of all
    /// layers, and with `demo` a listener that others could reach.
    pub fn load(config_file: Option<&Path>, demo: bool) -> Result<Self, SettingsError> {
        let if_missing = if demo {
            IfMissing::Make(&OsEntropy)
        } else {
            IfMissing::Leave
        };
        Self::load_with(config_file, demo, if_missing)
    }

    /// Like [`Settings::load`], but writes nothing: with `demo`, missing keys are generated for this call only.
    pub fn preview(config_file: Option<&Path>, demo: bool) -> Result<Self, SettingsError> {
        let if_missing = if demo {
            IfMissing::Draft(&OsEntropy)
        } else {
            IfMissing::Leave
        };
        Self::load_with(config_file, demo, if_missing)
    }

    fn load_with(
        config_file: Option<&Path>,
        demo: bool,
        if_missing: IfMissing<'_>,
    ) -> Result<Self, SettingsError> {
        let mut sources = Sources::from_environment_and(config_file)?;
        let mut settings = Self::resolve(&sources, demo)?;
        if settings.keys.is_none()
            && let Some(text) = key_file::open(&settings.data_dir, if_missing)?
        {
            sources.key_file = Some(text);
            settings = Self::resolve(&sources, demo)?;
        }
        settings.policies.search_path = environment::search_path();
        settings.policies.operator = environment::system_user();
        settings.sources = sources.names();
        Ok(settings)
    }

    /// Reads values without files or environment, for tests.
    pub fn from_sources(
        toml_text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        Self::resolve(&Sources::from_texts(toml_text, environment), false)
    }

    /// The keys, for commands that need them. The error names the command that generates keys.
    pub fn require_keys(&self) -> Result<&Keys, SettingsError> {
        self.keys.as_ref().ok_or_else(|| {
            SettingsError::from(SettingsFault::of(
                "keys",
                "there are none: run `charter keys generate`, keep its output in a file that only \
                 the service can read, and give that with `--config` (or set CHARTER__KEYS__SEALING \
                 and its fellows); to try things out, `charter serve --demo` makes its own",
            ))
        })
    }

    fn resolve(sources: &Sources, demo: bool) -> Result<Self, SettingsError> {
        let mut reader = Reader::over(sources);
        let mut settings = Settings {
            is_demo: demo,
            ..sections::read(&mut reader)
        };
        if demo && reader.is_default("server.shutdown_drain") {
            // Nobody balances load in front of it.
            settings.server.edge.drain = Duration::ZERO;
        }
        if demo {
            let server = &settings.server;
            let main = [
                ("server.listen", server.listen),
                ("server.ops_listen", server.ops_listen),
            ];
            let access = settings.access.listen;
            let access = access.map(|listener| ("access.listen", listener));
            for (key, listener) in main.into_iter().chain(access) {
                if !is_loopback(listener.ip()) {
                    reader.disagreement(
                        key,
                        "the demo listens on this machine only: use a loopback address such as \
                         `127.0.0.1`, or serve without `--demo`",
                    );
                }
            }
        }
        reader.finish(settings)
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
