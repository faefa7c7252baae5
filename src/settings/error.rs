//! The faults of the settings, told all at once.

use std::fmt;

/// One fault: which key, where it was set, what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsFault {
    key: String,
    origin: Option<String>,
    message: String,
}

impl SettingsFault {
    /// A fault of `key`, whoever set it. The message never holds a secret's value.
    pub(super) fn of(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            origin: None,
            message: message.into(),
        }
    }

    /// Adds who set it: a file, or a variable's name.
    pub(super) fn set_in(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// The key's path, `server.listen`; for a file that cannot be read, the file.
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

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub struct SettingsError {
    faults: Vec<SettingsFault>,
}

impl SettingsError {
    pub(super) fn new(faults: Vec<SettingsFault>) -> Self {
        Self { faults }
    }

    /// Every fault found, in the order of the keys' reading.
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
