//! Faults of the settings, reported together.

use std::fmt;

/// A fault: the key, where it was set, the reason and a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsFault {
    key: String,
    origin: Option<String>,
    message: String,
}

impl SettingsFault {
    /// A fault of `key`, wherever it was set. The message never contains a secret.
    pub(super) fn of(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            origin: None,
            message: message.into(),
        }
    }

    /// Adds where it was set: a file or an environment variable.
    pub(super) fn set_in(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// The key's path, such as `server.listen`; the file if it cannot be read.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "`{}` (set in {origin}): {}", self.key, self.message),
            None => write!(f, "`{}`: {}", self.key, self.message),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub struct SettingsError {
    faults: Vec<SettingsFault>,
}

impl SettingsError {
    pub(super) fn new(faults: Vec<SettingsFault>) -> Self {
        Self { faults }
    }

    /// In the order in which keys are read.
    #[must_use]
    pub fn faults(&self) -> &[SettingsFault] {
        &self.faults
    }
}

impl From<SettingsFault> for SettingsError {
    fn from(fault: SettingsFault) -> Self {
        Self::new(vec![fault])
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.faults.as_slice() {
            [only] => write!(f, "the settings cannot be used: {only}"),
            faults => {
                write!(f, "the settings cannot be used, {} faults:", faults.len())?;
                faults.iter().try_for_each(|fault| write!(f, "\n- {fault}"))
            }
        }
    }
}
