//! A caller as policy sees it, prepared once and used for many questions.

use std::sync::{Arc, OnceLock};

use cedar_policy::{Entities, EntityUid};

use super::entities::Builder;
use super::index::IndexEntry;
use super::json::{JsonError, PrincipalJson};
use super::kinds::PrincipalKind;
use super::outcomes::Outcomes;
use super::snapshot::Snapshot;
use charter_domain::caller::Caller;

/// A caller with its entities built. Keep it beside the caller's records and as long as they:
/// it shows what they said when it was prepared.
#[derive(Debug, Clone)]
pub struct Principal {
    caller: Caller,
    pub(super) kind: PrincipalKind,
    /// The snapshot whose names the entities use.
    pub(super) digest: Arc<str>,
    /// `None` if they could not be built; then nothing is allowed.
    pub(super) prepared: Option<Prepared>,
    /// Written out when it is first asked for.
    json: OnceLock<PrincipalJson>,
    pub(super) outcomes: Outcomes,
}

/// The entities of a caller: itself, what it belongs to, and every action with its groups.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) uid: EntityUid,
    /// Its tenant, which most questions are about.
    pub(super) organization: EntityUid,
    pub(super) entities: Entities,
    /// The policies that name it or one of its ancestors.
    pub(super) policies: Vec<Arc<IndexEntry>>,
}

impl Principal {
    /// Builds a caller's entities with the names of a snapshot. Asking another snapshot is correct
    /// too, it then prepares the caller anew for that one question.
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

    /// Its type in policies.
    pub const fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// Its entities, with every action; `None` if they could not be built.
    pub fn entities(&self) -> Option<&Entities> {
        Some(&self.prepared.as_ref()?.entities)
    }

    /// Its tenant's name as an entity; `None` as for [`Self::entities`].
    pub fn organization(&self) -> Option<&EntityUid> {
        Some(&self.prepared.as_ref()?.organization)
    }

    /// Itself and its entities in Cedar's JSON form; an error if an attribute has none.
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

fn prepare(caller: &Caller, snapshot: &Snapshot) -> Result<Prepared, Box<dyn std::error::Error>> {
    let build = Builder {
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
    let entities = snapshot
        .actions()
        .clone()
        .add_entities([organization, principal].into_iter().chain(account), None)?;
    Ok(Prepared {
        policies: snapshot.index.of_principal(&uid, &entities),
        uid,
        organization: organization_uid,
        entities,
    })
}
