//! The layers of settings, each flattened to `section.key`, with the origin of each value.
//!
//! A layer may only set keys that the embedded defaults have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat, Map, Source, Value, ValueKind};

use super::environment;
use super::error::{SettingsError, SettingsFault};

/// The lowest layer.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// The layers above the embedded defaults.
#[derive(Debug, Default)]
pub struct SettingsSources {
    /// Later files override earlier ones.
    pub files: Vec<PathBuf>,
    /// Names of environment variables, which override files; never their values.
    pub variables: Vec<String>,
}

const PREFIX: &str = "CHARTER";
const SEPARATOR: &str = "__";

/// The layers above the defaults.
pub(super) struct Sources {
    /// The demo's key file: its name and text.
    pub(super) key_file: Option<(String, String)>,
    config_file: Option<(String, String)>,
    environment: Vec<(String, String)>,
    unreadable: Vec<SettingsFault>,
}

/// A value and where it was set; `None` for the embedded default.
pub(super) struct Layered {
    pub(super) value: ValueKind,
    pub(super) origin: Option<String>,
}

impl Sources {
    /// Fails if the configuration file cannot be read.
    pub(super) fn from_environment_and(config_file: Option<&Path>) -> Result<Self, SettingsError> {
        let config_file = config_file
            .map(|path| {
                let name = path.display().to_string();
                match std::fs::read_to_string(path) {
                    Ok(text) => Ok((name, text)),
                    Err(error) => Err(SettingsFault::of(name, format!("cannot be read: {error}"))),
                }
            })
            .transpose()?;
        let mut sources = Self {
            key_file: None,
            config_file,
            environment: Vec::new(),
            unreadable: Vec::new(),
        };
        for (name, value) in environment::variables() {
            let Ok(name) = name.into_string() else {
                continue;
            };
            if !name.starts_with(&format!("{PREFIX}{SEPARATOR}")) {
                continue;
            }
            match value.into_string() {
                Ok(value) => sources.environment.push((name, value)),
                Err(_) => sources
                    .unreadable
                    .push(SettingsFault::of(name, "the value is not valid UTF-8")),
            }
        }
        Ok(sources)
    }

    pub(super) fn from_texts(
        toml_text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self {
            key_file: None,
            config_file: Some(("the configuration".to_owned(), toml_text.to_owned())),
            environment: environment.into_iter().collect(),
            unreadable: Vec::new(),
        }
    }

    /// The sources without their values.
    pub(super) fn names(&self) -> SettingsSources {
        let files = self.key_file.iter().chain(&self.config_file);
        let mut variables: Vec<String> = self
            .environment
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        variables.sort_unstable();
        SettingsSources {
            files: files.map(|(name, _)| name.into()).collect(),
            variables,
        }
    }

    /// Merges the layers: the effective value of each key, and the faults of unknown keys.
    pub(super) fn merge(&self) -> (BTreeMap<String, Layered>, Vec<SettingsFault>) {
        let mut faults = self.unreadable.clone();
        let mut merged: BTreeMap<String, Layered> =
            file_layer("the defaults", DEFAULTS, &mut faults)
                .into_iter()
                .map(|(key, value)| {
                    (
                        key,
                        Layered {
                            value,
                            origin: None,
                        },
                    )
                })
                .collect();

        let mut lay = |key: String, value: ValueKind, origin: String| {
            if let Some(known) = merged.get_mut(&key) {
                *known = Layered {
                    value,
                    origin: Some(origin),
                };
            } else if is_empty_section(&key, &value, merged.keys()) {
                // All its keys are commented out.
            } else {
                faults_of_unknown(&key, merged.keys(), origin, &mut faults);
            }
        };
        let mut parse_faults = Vec::new();
        for (name, text) in self.key_file.iter().chain(&self.config_file) {
            for (key, value) in file_layer(name, text, &mut parse_faults) {
                lay(key, value, format!("`{name}`"));
            }
        }
        for (name, value) in &self.environment {
            for (key, value) in environment_layer(name, value) {
                lay(key, value, format!("`{name}`"));
            }
        }
        parse_faults.append(&mut faults);
        (merged, parse_faults)
    }
}

fn file_layer(name: &str, text: &str, faults: &mut Vec<SettingsFault>) -> Vec<(String, ValueKind)> {
    match File::from_str(text, FileFormat::Toml).collect() {
        Ok(map) => flatten("", map),
        Err(config::ConfigError::FileParse { cause, .. }) => {
            faults.push(SettingsFault::of(
                name,
                without_secrets(cause.to_string().trim()),
            ));
            Vec::new()
        }
        Err(_) => {
            faults.push(SettingsFault::of(name, "is not a TOML document"));
            Vec::new()
        }
    }
}

fn environment_layer(name: &str, value: &str) -> Vec<(String, ValueKind)> {
    let source = Map::from([(name.to_owned(), value.to_owned())]);
    Environment::with_prefix(PREFIX)
        .separator(SEPARATOR)
        .source(Some(source))
        .collect()
        .map(|map| flatten("", map))
        .unwrap_or_default()
}

/// `{server: {listen: …}}` to `server.listen`. An empty section is a leaf, so that it is named if unknown.
fn flatten(path: &str, map: Map<String, Value>) -> Vec<(String, ValueKind)> {
    let mut leaves: Vec<_> = map
        .into_iter()
        .flat_map(|(key, value)| {
            let key = if path.is_empty() {
                key
            } else {
                format!("{path}.{key}")
            };
            match value.kind {
                ValueKind::Table(inner) if !inner.is_empty() => flatten(&key, inner),
                leaf => vec![(key, leaf)],
            }
        })
        .collect();
    leaves.sort_by(|(one, _), (other, _)| one.cmp(other));
    leaves
}

fn is_empty_section<'a>(
    key: &str,
    value: &ValueKind,
    mut known: impl Iterator<Item = &'a String>,
) -> bool {
    let is_below = |known: &String| {
        let rest = known.strip_prefix(key);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    matches!(value, ValueKind::Table(inner) if inner.is_empty()) && known.any(is_below)
}

fn faults_of_unknown<'a>(
    key: &str,
    known: impl Iterator<Item = &'a String>,
    origin: String,
    faults: &mut Vec<SettingsFault>,
) {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let below = |section: &str| -> Vec<&str> {
        known
            .iter()
            .filter_map(|known| known.strip_prefix(section)?.strip_prefix('.'))
            .collect()
    };
    let inside = below(key);
    let siblings = key
        .rsplit_once('.')
        .map(|(section, _)| (section, below(section)));
    let message = match siblings {
        _ if !inside.is_empty() => {
            format!("is a section; set one of its keys: {}", inside.join(", "))
        }
        Some((section, keys)) if !keys.is_empty() => {
            format!("is not a setting; `{section}` has {}", keys.join(", "))
        }
        _ => "is not a setting; `config/default.toml` lists them all".to_owned(),
    };
    faults.push(SettingsFault::of(key, message).set_in(origin));
}

/// A parse error quotes its line, which may contain a key or a password. Replaces long words by asterisks and
/// keeps the columns, so that the caret stays correct.
fn without_secrets(message: &str) -> String {
    let looks_secret =
        |word: &str| word.chars().count() >= 16 && !word.contains(' ') || word.contains("://");
    let mut shown = String::with_capacity(message.len());
    for word in
        message.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ','))
    {
        if looks_secret(word) {
            shown.extend(
                word.chars()
                    .map(|c| if c.is_alphanumeric() { '*' } else { c }),
            );
        } else {
            shown.push_str(word);
        }
    }
    shown
}
