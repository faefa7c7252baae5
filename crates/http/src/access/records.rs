//! What the store says of those who are asked about, kept in memory as authentication keeps keys and sessions: never
//! past a write of this process, and never a second behind another one's (ADR 0028).

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use charter_authn::access_clients::AccessClient;
use charter_authn::record_cache::{Record, RecordCache};
use charter_authz::kinds::PrincipalKind;
use charter_authz::own_domain::Answers;
use charter_authz::principal::Principal;
use charter_authz::snapshot::Snapshot;
use charter_domain::caller::Caller;
use charter_domain::id::OrganizationId;
use charter_store::EntityRef;

use super::question::Entity;
use crate::extract::loaded::{Loaded, entity_ref, found_or_none, is_enabled};
use crate::respond::ApiError;

/// A principal with its entities, log lines' parts and decisions: measured, about.
const PRINCIPAL_BYTES: usize = 4_096;

/// Records of all tenants, by what names them.
pub struct AccessRecords {
    subjects: RecordCache<EntityRef, Subject>,
    resources: RecordCache<EntityRef, TenantRecord>,
    /// What domains of one's own answered.
    pub(super) answers: Answers,
}

/// A service account or a user, which may be disabled.
pub(super) struct Subject {
    pub(super) caller: Caller,
    /// Prepared for the latest policies that were asked.
    principal: ArcSwapOption<Principal>,
}

/// A record with those that it belongs to.
struct TenantRecord {
    organization: OrganizationId,
    loaded: Arc<Loaded>,
}

impl AccessRecords {
    /// Takes so many bytes of memory, about.
    #[must_use]
    pub fn new(memory: u64) -> Self {
        Self {
            subjects: RecordCache::new(memory / 2),
            resources: RecordCache::new(memory / 4),
            answers: Answers::new(memory / 4),
        }
    }

    /// `None` for nobody, and for who could not act now whatever policy says.
    pub(super) async fn subject(
        &self,
        client: &AccessClient<'_>,
        entity: &Entity,
    ) -> Result<Option<Arc<Subject>>, ApiError> {
        let named = kind(&entity.of).and_then(|_| entity_ref(&entity.of, &entity.id));
        let Some(named) = named else {
            return Ok(None);
        };
        let found = match self.subjects.get(&named, client.changes()) {
            Some(known) => Some(known),
            None => self.read_subject(client, named).await?,
        };
        Ok(found.filter(|subject| is_enabled(&subject.caller)))
    }

    async fn read_subject(
        &self,
        client: &AccessClient<'_>,
        named: EntityRef,
    ) -> Result<Option<Arc<Subject>>, ApiError> {
        let reading = RecordCache::<EntityRef, Subject>::start_reading(client.changes());
        let found = async { client.tenant_of(named).await?.caller(named).await };
        let Some(caller) = found_or_none(found.await)?.flatten() else {
            return Ok(None);
        };
        let subject = Arc::new(Subject {
            caller,
            principal: ArcSwapOption::empty(),
        });
        self.subjects.put(named, Arc::clone(&subject), reading);
        Ok(Some(subject))
    }

    /// `None` for what there is not.
    pub(super) async fn resource(
        &self,
        client: &AccessClient<'_>,
        entity: &Entity,
    ) -> Result<Option<Arc<Loaded>>, ApiError> {
        let id = entity.id.as_str();
        match entity.of.as_str() {
            "Role" => return Ok(Some(Arc::new(Loaded::Role(id.to_owned())))),
            "Permission" => return Ok(Some(Arc::new(Loaded::Permission(id.to_owned())))),
            _ => {}
        }
        let Some(named) = entity_ref(&entity.of, id) else {
            return Ok(None);
        };
        if let Some(known) = self.resources.get(&named, client.changes()) {
            return Ok(Some(Arc::clone(&known.loaded)));
        }
        let reading = RecordCache::<EntityRef, TenantRecord>::start_reading(client.changes());
        let found = async { Loaded::load(client.tenant_of(named).await?, named).await };
        let Some(loaded) = found_or_none(found.await)?.map(Arc::new) else {
            return Ok(None);
        };
        if let Some(organization) = loaded.organization() {
            let record = Arc::new(TenantRecord {
                organization: organization.id,
                loaded: Arc::clone(&loaded),
            });
            self.resources.put(named, record, reading);
        }
        Ok(Some(loaded))
    }
}

impl Subject {
    /// Prepared for these policies.
    pub(super) fn principal(&self, snapshot: &Snapshot) -> Arc<Principal> {
        let known = self.principal.load_full();
        known
            .filter(|known| known.is_for(snapshot))
            .unwrap_or_else(|| {
                let principal = Arc::new(Principal::prepare(&self.caller, snapshot));
                self.principal.store(Some(Arc::clone(&principal)));
                principal
            })
    }
}

impl Record for Subject {
    fn organization(&self) -> OrganizationId {
        self.caller.organization().id
    }

    fn bytes(&self) -> usize {
        let of_records = match &self.caller {
            Caller::ServiceAccount(caller) => caller.bytes(),
            Caller::User(caller) => caller.bytes(),
        };
        PRINCIPAL_BYTES + of_records
    }
}

impl Record for TenantRecord {
    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn bytes(&self) -> usize {
        self.loaded.bytes()
    }
}

pub(super) fn kind(of: &str) -> Option<PrincipalKind> {
    match of {
        "ServiceAccount" => Some(PrincipalKind::ServiceAccount),
        "User" => Some(PrincipalKind::User),
        _ => None,
    }
}
