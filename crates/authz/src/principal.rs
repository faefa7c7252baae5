//! A caller as policies see it, prepared once for many questions.

use std::sync::{Arc, OnceLock};

use cedar_policy::{Entities, EntityUid};

use super::entities::EntityBuilder;
use super::index::IndexEntry;
use super::json::{JsonError, PrincipalJson};
use super::kinds::PrincipalKind;
use super::outcomes::Outcomes;
use super::snapshot::Snapshot;
use charter_domain::caller::Caller;

/// A caller with its entities. It reflects the caller's records at the time of preparation, so keep
/// it no longer than those.
#[derive(Debug, Clone)]
pub struct Principal {
    caller: Caller,
    pub(super) kind: PrincipalKind,
    /// Digest of the snapshot whose ids the entities use.
    pub(super) digest: Arc<str>,
    /// `None` if they could not be built; then everything is denied.
    pub(super) prepared: Option<PreparedEntities>,
    /// Rendered on demand.
    json: OnceLock<PrincipalJson>,
    pub(super) outcomes: Outcomes,
}

/// The caller's entity, its ancestors, and every action with its groups.
#[derive(Debug, Clone)]
pub(super) struct PreparedEntities {
    pub(super) uid: EntityUid,
    /// Its organization, which most questions are about.
    pub(super) organization: EntityUid,
    /// It and its ancestors.
    pub(super) own: Entities,
    /// The same with all actions: ten times as large, and kept only where it is needed again and again.
    pub(super) with_actions: OnceLock<Entities>,
    /// Policies whose scope names it or one of its ancestors.
    pub(super) policies: Vec<Arc<IndexEntry>>,
}

impl Principal {
    /// Builds a caller's entities with the ids of a snapshot. With another snapshot the caller is
    /// prepared again for each question.
    pub fn prepare(caller: &Caller, snapshot: &Snapshot) -> Self {
        let prepared = prepare(caller, snapshot)
            .inspect_err(|error| {
                tracing::error!(
                    principal = caller.principal_id(),
                    error = error.as_ref() as &dyn std::error::Error,
                    "the caller's entities cannot be built, everything is denied"
                );
            })
            .ok();
        Self {
            caller: caller.clone(),
            kind: kind(caller),
            digest: Arc::clone(snapshot.digest()),
            prepared,
            json: OnceLock::new(),
            outcomes: Outcomes::default(),
        }
    }

    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    pub const fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// It and its ancestors, without actions; `None` if they could not be built.
    pub fn entities(&self) -> Option<&Entities> {
        Some(&self.prepared.as_ref()?.own)
    }

    /// Its organization as an entity; `None` as for [`Self::entities`].
    pub fn organization(&self) -> Option<&EntityUid> {
        Some(&self.prepared.as_ref()?.organization)
    }

    /// The principal and its entities in Cedar's JSON form.
    pub fn json(&self) -> Result<&PrincipalJson, JsonError> {
        if let Some(known) = self.json.get() {
            return Ok(known);
        }
        let made = PrincipalJson::new(&self.caller, self.kind, self.entities())?;
        Ok(self.json.get_or_init(|| made))
    }
}

const fn kind(caller: &Caller) -> PrincipalKind {
    match caller {
        Caller::ServiceAccount(_) => PrincipalKind::ServiceAccount,
        Caller::User(_) => PrincipalKind::User,
    }
}

fn prepare(
    caller: &Caller,
    snapshot: &Snapshot,
) -> Result<PreparedEntities, Box<dyn std::error::Error>> {
    let build = EntityBuilder {
        catalogue: snapshot.catalogue(),
    };
    let (principal, account) = match caller {
        Caller::ServiceAccount(caller) => (
            build.service_account(caller.service_account())?,
            Some(build.account(caller.account())?),
        ),
        Caller::User(caller) => (build.user(caller.user())?, None),
    };
    let organization = build.organization(caller.organization())?;
    let uid = principal.uid();
    let organization_uid = organization.uid();
    let own = [organization, principal].into_iter().chain(account);
    let own = Entities::empty().add_entities(own, None)?;
    Ok(PreparedEntities {
        policies: snapshot.index.of_principal(&uid, &own),
        uid,
        organization: organization_uid,
        own,
        with_actions: OnceLock::new(),
    })
}
