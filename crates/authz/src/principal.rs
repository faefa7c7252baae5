//! A caller as policies see it, prepared once for many questions.

use std::error::Error;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use cedar_policy::{Entities, EntityUid};

use super::catalogue::Catalogue;
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
    /// It and its ancestors, several kilobytes. Dropped once nothing is left to do with them; they can be built
    /// again from the caller's records.
    own: Droppable,
    /// The same with all actions: ten times as large, and kept only where it is needed again and again.
    pub(super) with_actions: OnceLock<Entities>,
    /// Policies whose scope names it or one of its ancestors.
    pub(super) policies: Vec<Arc<IndexEntry>>,
}

#[derive(Debug)]
struct Droppable(ArcSwapOption<Entities>);

impl Clone for Droppable {
    fn clone(&self) -> Self {
        Self(ArcSwapOption::new(self.0.load_full()))
    }
}

impl PreparedEntities {
    /// The principal and its ancestors, without actions. The catalogue must be that of the snapshot that it was
    /// prepared for: what is built by it is kept.
    pub(super) fn own(
        &self,
        caller: &Caller,
        catalogue: &Catalogue,
    ) -> Result<Arc<Entities>, Box<dyn Error>> {
        if let Some(own) = self.own.0.load_full() {
            return Ok(own);
        }
        let own = Arc::new(build(caller, catalogue)?.entities);
        self.own.0.store(Some(Arc::clone(&own)));
        Ok(own)
    }
}

impl Principal {
    /// Builds a caller's entities with the ids of a snapshot. With another snapshot the caller is
    /// prepared again for each question.
    pub fn prepare(caller: &Caller, snapshot: &Snapshot) -> Self {
        let prepared = prepare(caller, snapshot)
            .inspect_err(|error| {
                tracing::error!(
                    principal = caller.principal_id(),
                    error = error.as_ref() as &dyn Error,
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

    /// Whether it was prepared for these policies.
    #[must_use]
    pub fn is_for(&self, snapshot: &Snapshot) -> bool {
        self.digest == *snapshot.digest()
    }

    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    pub const fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// It and its ancestors as entities for any snapshot, without actions; `None` if they cannot be built. Nothing
    /// is kept: another snapshot's entities must not decide for this one.
    pub fn entities(&self, snapshot: &Snapshot) -> Option<Arc<Entities>> {
        if let Some(own) = self.prepared.as_ref()?.own.0.load_full() {
            return Some(own);
        }
        let built = build(&self.caller, snapshot.catalogue()).ok()?;
        Some(Arc::new(built.entities))
    }

    /// To be called when a decision was kept: if log lines have all they need, no entity is needed any more.
    pub(super) fn drop_entities(&self) {
        if let (Some(prepared), Some(_)) = (&self.prepared, self.json.get()) {
            prepared.own.0.store(None);
        }
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
        let own = self.prepared.as_ref().and_then(|it| it.own.0.load_full());
        let made = PrincipalJson::new(&self.caller, self.kind, own.as_deref())?;
        let json = self.json.get_or_init(|| made);
        self.drop_entities();
        Ok(json)
    }
}

const fn kind(caller: &Caller) -> PrincipalKind {
    match caller {
        Caller::ServiceAccount(_) => PrincipalKind::ServiceAccount,
        Caller::User(_) => PrincipalKind::User,
    }
}

fn prepare(caller: &Caller, snapshot: &Snapshot) -> Result<PreparedEntities, Box<dyn Error>> {
    let Built {
        uid,
        organization,
        entities,
    } = build(caller, snapshot.catalogue())?;
    Ok(PreparedEntities {
        policies: snapshot.index.of_principal(&uid, &entities),
        uid,
        organization,
        own: Droppable(ArcSwapOption::from_pointee(entities)),
        with_actions: OnceLock::new(),
    })
}

struct Built {
    uid: EntityUid,
    organization: EntityUid,
    entities: Entities,
}

fn build(caller: &Caller, catalogue: &Catalogue) -> Result<Built, Box<dyn Error>> {
    let build = EntityBuilder { catalogue };
    let (principal, account) = match caller {
        Caller::ServiceAccount(caller) => (
            build.service_account(caller.service_account())?,
            Some(build.account(caller.account())?),
        ),
        Caller::User(caller) => (build.user(caller.user())?, None),
    };
    let organization = build.organization(caller.organization())?;
    Ok(Built {
        uid: principal.uid(),
        organization: organization.uid(),
        entities: Entities::empty()
            .add_entities([organization, principal].into_iter().chain(account), None)?,
    })
}
