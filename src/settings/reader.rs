//! Reads one key at a time into a typed value, and collects the faults.
//!
//! An invalid key yields a placeholder so that reading continues; [`Reader::finish`] then fails, so no placeholder
//! is used.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use config::ValueKind;

use super::error::{SettingsError, SettingsFault};
use super::layers::{Layered, Sources};

pub(super) struct Reader {
    values: BTreeMap<String, Layered>,
    faults: Vec<SettingsFault>,
}

impl Reader {
    pub(super) fn over(sources: &Sources) -> Self {
        let (values, faults) = sources.merge();
        Self { values, faults }
    }

    /// Returns all faults as the error.
    pub(super) fn finish<T>(self, read: T) -> Result<T, SettingsError> {
        if self.faults.is_empty() {
            Ok(read)
        } else {
            Err(SettingsError::new(self.faults))
        }
    }

    /// Whether nobody has set the key.
    pub(super) fn is_default(&self, key: &str) -> bool {
        self.values
            .get(key)
            .is_none_or(|layered| layered.origin.is_none())
    }

    pub(super) fn fault(&mut self, key: &str, message: impl Into<String>) {
        let fault = SettingsFault::of(key, message);
        let origin = self
            .values
            .get(key)
            .and_then(|layered| layered.origin.as_ref());
        self.faults.push(match origin {
            Some(origin) => fault.set_in(origin),
            None => fault,
        });
    }

    /// A valid key that conflicts with another; ignored if the key already has a fault.
    pub(super) fn disagreement(&mut self, key: &str, message: impl Into<String>) {
        if self.faults.iter().all(|fault| fault.key() != key) {
            self.fault(key, message);
        }
    }

    /// A string; numbers and booleans are accepted as written.
    pub(super) fn text(&mut self, key: &str) -> String {
        self.read(key, String::new(), |value| match value {
            ValueKind::String(text) => Ok(text.trim().to_owned()),
            ValueKind::Table(_) | ValueKind::Array(_) | ValueKind::Nil => {
                Err("expected a string".to_owned())
            }
            plain => Ok(plain.to_string()),
        })
    }

    /// A string that `parse` accepts; its error is the fault.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        placeholder: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let text = self.text(key);
        parse(&text).unwrap_or_else(|message| {
            self.fault(key, message);
            placeholder
        })
    }

    /// One of several words, each with its value.
    pub(super) fn choice<T: Copy + Default>(&mut self, key: &str, choices: &[(&str, T)]) -> T {
        self.parsed(key, T::default(), |text| {
            let chosen = choices.iter().find(|(word, _)| *word == text);
            chosen.map(|(_, value)| *value).ok_or_else(|| {
                let words: Vec<String> = choices
                    .iter()
                    .map(|(word, _)| format!("`{word}`"))
                    .collect();
                format!("`{text}` is not one of {}", words.join(", "))
            })
        })
    }

    /// A list of strings: an array, or one string with commas.
    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        self.entries(key, "expected a list of strings")
    }

    /// The same; what has another form gets this message.
    fn entries(&mut self, key: &str, expected: &str) -> Vec<String> {
        let commas = |text: &str| -> Vec<String> {
            let entries = text.split(',').map(str::trim);
            entries
                .filter(|entry| !entry.is_empty())
                .map(str::to_owned)
                .collect()
        };
        self.read(key, Vec::new(), |value| match value {
            ValueKind::String(text) => Ok(commas(text)),
            ValueKind::Array(entries) => entries
                .iter()
                .map(|entry| match &entry.kind {
                    ValueKind::String(text) => Ok(text.trim().to_owned()),
                    _ => Err(expected.to_owned()),
                })
                .collect(),
            _ => Err(expected.to_owned()),
        })
    }

    /// A list whose entries `parse` accepts; each invalid entry is a fault.
    pub(super) fn parsed_list<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let entries = self.list(key);
        self.parse_entries(key, &entries, parse)
    }

    /// The same of a key that takes one string; several are read all the same, for the caller to refuse.
    pub(super) fn parsed_single<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let entries = self.entries(key, "expected a string");
        self.parse_entries(key, &entries, parse)
    }

    fn parse_entries<T>(
        &mut self,
        key: &str,
        entries: &[String],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let read = entries.iter().filter_map(|entry| match parse(entry) {
            Ok(value) => Some(value),
            Err(message) => {
                self.fault(key, message);
                None
            }
        });
        read.collect()
    }

    /// A whole number within `range`.
    pub(super) fn number<N>(&mut self, key: &str, range: RangeInclusive<N>) -> N
    where
        N: TryFrom<u64> + PartialOrd + Display + Copy,
    {
        let lowest = *range.start();
        self.read(key, lowest, |value| {
            let written = match value {
                ValueKind::I64(number) => number.to_string(),
                ValueKind::U64(number) => number.to_string(),
                ValueKind::String(text) => text.trim().to_owned(),
                _ => return Err("expected a whole number".to_owned()),
            };
            let digits: String = written.chars().filter(|c| *c != '_').collect();
            if !digits
                .trim_start_matches('-')
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                || digits.is_empty()
            {
                let (low, high) = (range.start(), range.end());
                return Err(format!(
                    "`{written}` is not a whole number: give one from {low} to {high}"
                ));
            }
            digits
                .parse::<u64>()
                .ok()
                .and_then(|number| N::try_from(number).ok())
                .filter(|number| range.contains(number))
                .ok_or_else(|| {
                    let (low, high) = (range.start(), range.end());
                    format!("`{written}` is out of range: give from {low} to {high}")
                })
        })
    }

    /// A duration such as `300s`, within `range`.
    pub(super) fn duration(&mut self, key: &str, range: RangeInclusive<Duration>) -> Duration {
        self.parsed(key, Duration::ZERO, |text| {
            let (low, high) = (in_one_unit(*range.start()), in_one_unit(*range.end()));
            let duration = humantime::parse_duration(text).map_err(|_| {
                format!(
                    "`{text}` is not a duration: write one such as `500ms`, `300s` or `5m`, from `{low}` to `{high}`"
                )
            })?;
            if range.contains(&duration) {
                return Ok(duration);
            }
            Err(format!(
                "`{text}` is out of range: give from `{low}` to `{high}`"
            ))
        })
    }

    fn read<T>(
        &mut self,
        key: &str,
        placeholder: T,
        take: impl FnOnce(&ValueKind) -> Result<T, String>,
    ) -> T {
        let taken = match self.values.get(key) {
            Some(layered) => take(&layered.value),
            None => Err("has no default".to_owned()),
        };
        taken.unwrap_or_else(|message| {
            self.fault(key, message);
            placeholder
        })
    }
}

/// In the largest unit of which it is a whole number: humantime's years are of 365.25 days.
fn in_one_unit(duration: Duration) -> String {
    let (millis, seconds) = (duration.subsec_millis(), duration.as_secs());
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    match units.iter().find(|(length, _)| seconds % length == 0) {
        _ if millis != 0 => format!("{}ms", duration.as_millis()),
        Some((length, unit)) if seconds != 0 => format!("{}{unit}", seconds / length),
        _ => format!("{seconds}s"),
    }
}
