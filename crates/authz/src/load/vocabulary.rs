//! Whose names a folder must use.

use crate::folder::Folder;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vocabulary {
    /// The service's: its permissions are the actions, its records the entities.
    Service,
    /// Whatever the schema declares.
    Own,
}

impl Vocabulary {
    pub(super) const fn of(folder: &Folder) -> Self {
        if folder.is_custom_domain() {
            Self::Own
        } else {
            Self::Service
        }
    }
}
