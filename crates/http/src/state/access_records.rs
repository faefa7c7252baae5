//! What the store says of those who are asked about, kept in memory as authentication keeps keys and sessions: never
//! past a write of this process, and never a second behind another one's (ADR 0028).

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use charter_authn::access_clients::AccessClient;
use charter_authz::custom_domain::{Answers, Facts};
use charter_authz::kinds::PrincipalKind;
use charter_authz::principal::Principal;
use charter_authz::snapshot::Snapshot;
use charter_domain::caller::Caller;
use charter_domain::id::OrganizationId;
use charter_store::EntityRef;
use charter_store::record_cache::{Record, RecordCache};

use crate::extract::facts::of_caller;
use crate::extract::loaded::{Loaded, entity_ref, found_or_none, is_enabled};
use crate::respond::ApiError;

/// A principal with its entities, log lines' parts and decisions: measured, about.
const PRINCIPAL_BYTES: usize = 4_096;

/// Records of all tenants, by what names them.
pub struct AccessRecords {
    subjects: RecordCache<EntityRef, Subject>,
    resources: RecordCache<EntityRef, TenantRecord>,
    /// What domains of one's own answered.
    pub(crate) answers: Answers,
    /// By the address of the caller's records.
    facts: RecordCache<usize, CallerFacts>,
}

/// A service account or a user, which may be disabled.
pub(crate) struct Subject {
    pub(crate) caller: Caller,
    /// Prepared for the latest policies that were asked.
    principal: ArcSwapOption<Principal>,
}

/// A record with those that it belongs to.
struct TenantRecord {
    organization: OrganizationId,
    loaded: Arc<Loaded>,
}

/// What domains of one's own are told of a caller. Its records are kept, so that no others get their address.
struct CallerFacts {
    caller: Caller,
    facts: Arc<Facts>,
}

impl AccessRecords {
    /// Takes so many bytes of memory, about.
    #[must_use]
    pub fn new(memory: u64) -> Self {
        Self {
            subjects: RecordCache::new(memory / 2),
            resources: RecordCache::new(memory / 4),
            answers: Answers::new(memory / 8),
            facts: RecordCache::new(memory / 8),
        }
    }

    /// `None` for nobody, and for who could not act now whatever policy says.
    pub(crate) async fn subject(
        &self,
        client: &AccessClient<'_>,
        (of, id): (&str, &str),
    ) -> Result<Option<Arc<Subject>>, ApiError> {
        let named = principal_kind(of).and_then(|_| entity_ref(of, id));
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
    pub(crate) async fn resource(
        &self,
        client: &AccessClient<'_>,
        (of, id): (&str, &str),
    ) -> Result<Option<Arc<Loaded>>, ApiError> {
        match of {
            "Role" => return Ok(Some(Arc::new(Loaded::Role(id.to_owned())))),
            "Permission" => return Ok(Some(Arc::new(Loaded::Permission(id.to_owned())))),
            _ => {}
        }
        let Some(named) = entity_ref(of, id) else {
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

    /// What domains of one's own are told of the caller.
    pub(crate) fn facts_of(&self, client: &AccessClient<'_>, caller: &Caller) -> Arc<Facts> {
        let address = match caller {
            Caller::ServiceAccount(caller) => Arc::as_ptr(caller).addr(),
            Caller::User(caller) => Arc::as_ptr(caller).addr(),
        };
        if let Some(known) = self.facts.get(&address, client.changes()) {
            return Arc::clone(&known.facts);
        }
        let reading = RecordCache::<usize, CallerFacts>::start_reading(client.changes());
        let facts = Arc::new(Facts::new(of_caller(caller)));
        let known = CallerFacts {
            caller: caller.clone(),
            facts: Arc::clone(&facts),
        };
        self.facts.put(address, Arc::new(known), reading);
        facts
    }
}

impl Subject {
    /// Prepared for these policies.
    pub(crate) fn principal(&self, snapshot: &Snapshot) -> Arc<Principal> {
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
        PRINCIPAL_BYTES + bytes_of(&self.caller)
    }
}

impl Record for CallerFacts {
    fn organization(&self) -> OrganizationId {
        self.caller.organization().id
    }

    fn bytes(&self) -> usize {
        bytes_of(&self.caller) + self.facts.bytes()
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

fn bytes_of(caller: &Caller) -> usize {
    match caller {
        Caller::ServiceAccount(caller) => caller.bytes(),
        Caller::User(caller) => caller.bytes(),
    }
}

/// The kind of principal of this type; `None` for types that are none.
pub(crate) fn principal_kind(of: &str) -> Option<PrincipalKind> {
    match of {
        "ServiceAccount" => Some(PrincipalKind::ServiceAccount),
        "User" => Some(PrincipalKind::User),
        _ => None,
    }
}
