//! Loads a domain's folder: what the snapshot does not check.

use std::sync::Arc;

use cedar_policy::SchemaFragment;

use crate::fault::{FolderFault, LoadError};
use crate::folder::{Folder, content_digest};
use crate::index::Index;
use crate::snapshot::Snapshot;

use super::actions::{Actions, AskedKind};
use super::entity_types::EntityTypes;
use super::file::FileEntities;
use super::routes::Routes;
use super::store_records;

/// A domain that was checked, ready to answer.
#[derive(Debug)]
pub struct CustomDomain {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) index: Index<AskedKind>,
    pub(super) actions: Actions,
    pub(super) types: EntityTypes,
    pub(super) entities: FileEntities,
    pub(super) routes: Routes,
    content_digest: String,
}

/// What the folder has besides its policies.
struct DomainParts {
    actions: Actions,
    types: EntityTypes,
    entities: FileEntities,
    routes: Routes,
}

impl CustomDomain {
    /// # Errors
    ///
    /// All faults of the folder, each with its file and line.
    pub fn from_folder(folder: &Folder) -> Result<Self, LoadError> {
        Self::with(Snapshot::from_folder(folder)?, folder)
    }

    /// The same; policies that are unchanged since `before` are neither parsed nor validated again.
    ///
    /// # Errors
    ///
    /// As [`Self::from_folder`].
    pub fn updated_from(before: &Self, folder: &Folder) -> Result<Self, LoadError> {
        Self::with(Snapshot::updated_from(&before.snapshot, folder)?, folder)
    }

    fn with(snapshot: Snapshot, folder: &Folder) -> Result<Self, LoadError> {
        let parts = DomainParts::read(&snapshot, folder).map_err(LoadError::new)?;
        let index = Index::new(
            snapshot.policies(),
            parts.actions.iter().map(|(_, action)| &action.uid),
            parts.actions.asked(),
            snapshot.actions(),
        );
        let index =
            index.map_err(|error| LoadError::new(vec![FolderFault::new(error.to_string())]))?;
        Ok(Self {
            index,
            actions: parts.actions,
            types: parts.types,
            entities: parts.entities,
            routes: parts.routes,
            content_digest: content_digest(folder.files()),
            snapshot: Arc::new(snapshot),
        })
    }

    /// Finds what is wrong besides the policies.
    pub(crate) fn check(snapshot: &Snapshot, folder: &Folder) -> Result<(), Vec<FolderFault>> {
        DomainParts::read(snapshot, folder).map(drop)
    }

    #[must_use]
    pub const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Of all files of its folder.
    #[must_use]
    pub fn content_digest(&self) -> &str {
        &self.content_digest
    }
}

impl DomainParts {
    fn read(snapshot: &Snapshot, folder: &Folder) -> Result<Self, Vec<FolderFault>> {
        let schema = snapshot.schema();
        let json = SchemaFragment::from_cedarschema_str(folder.schema.inner())
            .ok()
            .and_then(|(fragment, _)| fragment.to_json_value().ok());
        let json = json.ok_or_else(|| {
            vec![FolderFault::new("the schema has no JSON form").at(&folder.schema, 0, 0)]
        })?;
        let types = EntityTypes::of(schema, &json);
        let actions = Actions::of(schema, &folder.schema)?;
        let mut faults = store_records::check(schema, &types, &folder.schema);
        let entities = folder.entities.as_ref();
        let entities = entities.map(|source| FileEntities::read(source, schema, &types));
        let entities = entities.transpose().unwrap_or_else(|more| {
            faults.extend(more);
            None
        });
        let routes = folder.routes.as_ref();
        let routes = routes.map(|source| Routes::read(source, &actions, &types));
        let routes = routes.transpose().unwrap_or_else(|more| {
            faults.extend(more);
            None
        });
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            entities: entities.unwrap_or_default(),
            routes: routes.unwrap_or_default(),
            actions,
            types,
        })
    }
}
