//! The texts of policy folders, each kept once under its digest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
};
use sha2::{Digest, Sha256};

use super::Error;
use super::entity::policy_text;

/// Rows in a statement: SQLite allows 32,766 values.
const BATCH: usize = 1_000;

/// The texts of a folder by file name.
pub type PolicyFiles = BTreeMap<String, Arc<str>>;

/// The texts with these digests, by file name; `None` if some are missing or damaged.
pub(super) async fn texts_of(
    connection: &impl ConnectionTrait,
    files: &BTreeMap<String, String>,
) -> Result<Option<PolicyFiles>, Error> {
    let wanted: Vec<&String> = files
        .values()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut texts: BTreeMap<String, Arc<str>> = BTreeMap::new();
    for batch in wanted.chunks(BATCH) {
        let rows = policy_text::Entity::find()
            .filter(policy_text::Column::Digest.is_in(batch.iter().copied()))
            .all(connection)
            .await?;
        for row in rows {
            if digest(&row.content) == row.digest
                && let Ok(text) = String::from_utf8(row.content)
            {
                texts.insert(row.digest, text.into());
            }
        }
    }
    Ok(files
        .iter()
        .map(|(name, digest)| Some((name.clone(), Arc::clone(texts.get(digest)?))))
        .collect())
}

/// Inserts missing texts; returns the digest of each file.
pub(super) async fn insert_texts<'f>(
    connection: &impl ConnectionTrait,
    files: &'f PolicyFiles,
) -> Result<BTreeMap<&'f String, String>, Error> {
    let digests: BTreeMap<&String, String> = files
        .iter()
        .map(|(name, text)| (name, digest(text.as_bytes())))
        .collect();
    let all: Vec<&String> = digests
        .values()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for batch in all.chunks(BATCH) {
        let rows: Vec<String> = policy_text::Entity::find()
            .select_only()
            .column(policy_text::Column::Digest)
            .filter(policy_text::Column::Digest.is_in(batch.iter().copied()))
            .into_tuple()
            .all(connection)
            .await?;
        known.extend(rows);
    }
    for (name, digest) in &digests {
        let Some(text) = files.get(*name).filter(|_| !known.contains(digest)) else {
            continue;
        };
        let row = policy_text::ActiveModel {
            digest: Set(digest.clone()),
            content: Set(text.as_bytes().to_vec()),
        };
        let on_conflict = OnConflict::column(policy_text::Column::Digest)
            .do_nothing()
            .to_owned();
        policy_text::Entity::insert(row)
            .on_conflict(on_conflict)
            .exec_without_returning(connection)
            .await?;
        known.insert(digest.clone());
    }
    Ok(digests)
}

pub(super) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
