//! The argument of every authorized handler: a caller that policy allows the operation, with parsed input and
//! loaded object. Extraction does everything from request to permission, in the contract's order: authentication,
//! body, object, policy (ADR 0001).

use std::future::Future;

use salvo::http::HeaderMap;
use salvo::http::header::{IF_MATCH, IF_NONE_MATCH};
use salvo::oapi::{Components, Operation as OpenApiOperation};
use salvo::{Depot, Request};
use tracing::Instrument as _;

use charter_authn::users::PortalUsers;
use charter_domain::audit::AuditContext;
use charter_domain::caller::Caller;
use charter_store::{TenantReader, TenantWriter};

use crate::edge::context::RequestContext;
use crate::edge::trace_context::stage;
use crate::extract::argument::handler_argument;
use crate::extract::authenticate::{Authenticated, authenticate};
use crate::extract::authorizer::Authorizer;
use crate::extract::input::{Input, RequestInput};
use crate::extract::operation::{Object, Operation};
use crate::extract::query::Query;
use crate::extract::{authorizer, security};
use crate::respond::answer::FoundOrNotModified;
use crate::respond::etag::EntityTag;
use crate::respond::{ApiError, Code, etag};
use crate::state::SharedState;

/// The first version of a row is 1.
const NO_VERSION: i64 = 0;

/// An authorized request.
pub struct Authorized<O: Operation> {
    pub input: O::Input,
    pub object: O::Object,
    /// Evaluates further permissions.
    pub authorizer: Authorizer,
    pub state: SharedState,
    /// `if-match` and `if-none-match`.
    conditions: HeaderMap,
    /// Whether they cannot hold, as the object has no entity tag.
    precondition_failed: bool,
    only_removes: bool,
}

impl<O: Operation> Authorized<O> {
    async fn from_request(request: &mut Request, depot: &Depot) -> Result<Self, ApiError> {
        let (state, admitted) = admit(request, depot, O::ACCEPTS).await?;
        let mut raw = admitted.raw_input(request)?;
        let input = O::Input::read(&mut raw)?;
        raw.query.finish()?;
        let caller = admitted.authorizer.caller();
        let tenant = state.tenants.reader(caller);
        let conditions = conditions(request.headers());
        let known = O::Object::of_caller(caller).filter(|_| conditions.is_empty());
        let object = if let Some(object) = known {
            object
        } else {
            let loading = O::Object::load(tenant, O::object(&input));
            loading.instrument(stage("load")).await?
        };
        let resource = object.as_resource(caller);
        let only_removes = O::only_removes(&input, &object);
        if let Err(exhausted) = state.decisions.check_share(caller.into()) {
            // What policy allows is done and recorded; a denial would be one more line.
            let may_go_on =
                only_removes && admitted.authorizer.would_allow(O::PERMISSION, resource);
            if !may_go_on {
                return Err(exhausted.into());
            }
        }
        admitted.authorizer.require(O::PERMISSION, resource)?;
        let precondition_failed =
            !O::HAS_ETAG && etag::fails_untagged_write(request.method(), request.headers())?;
        Ok(Self {
            input,
            object,
            authorizer: admitted.authorizer,
            state,
            conditions,
            precondition_failed,
            only_removes,
        })
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        O::Input::describe(components, operation);
        let declared = security::Declared {
            permission: O::PERMISSION,
            accepts: O::ACCEPTS,
            has_etag: O::HAS_ETAG,
            refuses: O::REFUSES,
        };
        security::describe_authorized(components, operation, declared);
    }

    #[must_use]
    pub fn caller(&self) -> &Caller {
        self.authorizer.caller()
    }

    /// Reads within the caller's tenant.
    pub fn tenant(&self) -> TenantReader<'_> {
        self.state.tenants.reader(self.caller())
    }

    /// 200 with the representation, or 304 if the client has this version. `PRECONDITION_FAILED` if `if-match`
    /// names another version, `BAD_PARAMETER` for a malformed condition.
    pub fn found<T>(&self, etag: EntityTag, body: T) -> Result<FoundOrNotModified<T>, ApiError> {
        const { assert!(O::HAS_ETAG, "the operation must declare its entity tag") };
        etag.check_if_match(&self.conditions)?;
        if etag.is_known_to(&self.conditions)? {
            return Ok(FoundOrNotModified::NotModified(etag));
        }
        Ok(FoundOrNotModified::Whole(etag, body))
    }

    /// The version that a write must find if the client sent a condition: `current`, whose tag is `etag`; one that
    /// never was if the condition fails, since the write's end says so, after whatever else refuses it (RFC 9110
    /// section 13.2.1). `BAD_PARAMETER` for a malformed condition.
    pub fn expected_version(
        &self,
        etag: &EntityTag,
        current: i64,
    ) -> Result<Option<i64>, ApiError> {
        const { assert!(O::HAS_ETAG, "the operation must declare its entity tag") };
        match etag.check_write(&self.conditions) {
            Ok(()) => Ok(self.conditions.contains_key(IF_MATCH).then_some(current)),
            Err(error) if error.code() == Code::PreconditionFailed => Ok(Some(NO_VERSION)),
            Err(malformed) => Err(malformed),
        }
    }

    /// Runs a write that continues if the client disconnects, so that it is atomic.
    pub async fn write<T, F, R>(&self, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(Write) -> R,
        R: Future<Output = Result<T, ApiError>> + Send + 'static,
    {
        let write = Write {
            state: self.state.clone(),
            authorizer: self.authorizer.clone(),
            by: AuditContext {
                precondition_failed: self.precondition_failed,
                ..self.authorizer.audit_context()?
            },
            only_removes: self.only_removes,
        };
        let writing = work(write).instrument(stage("write"));
        self.state.tasks.run(writing).await
    }
}

/// The arguments of a write, independent of the request.
pub struct Write {
    state: SharedState,
    by: AuditContext,
    only_removes: bool,
    /// Evaluates permissions for the request.
    pub authorizer: Authorizer,
}

impl Write {
    /// Writes within the caller's tenant, audited as the request.
    pub fn tenant(&self) -> TenantWriter<'_> {
        let by = self.by.clone();
        let writer = self.state.tenants.writer(self.authorizer.caller(), by);
        writer.only_removing(self.only_removes)
    }

    #[must_use]
    pub fn portal_users(&self) -> &PortalUsers {
        &self.state.portal_users
    }
}

struct Admitted {
    authorizer: Authorizer,
    body: salvo::hyper::body::Bytes,
}

impl Admitted {
    fn raw_input<'a>(&self, request: &'a Request) -> Result<RequestInput<'a>, ApiError> {
        Ok(RequestInput {
            method: request.method(),
            headers: request.headers(),
            path: request.params(),
            query: Query::parse(request.uri().query())?,
            body: self.body.clone(),
        })
    }
}

async fn admit(
    request: &mut Request,
    depot: &Depot,
    accepts: crate::extract::operation::Accepts,
) -> Result<(SharedState, Admitted), ApiError> {
    let state = SharedState::of(depot)?;
    let context = RequestContext::behind_edge(depot)?;
    let Authenticated {
        caller,
        nonce,
        body,
    } = authenticate(request, &state, accepts, context).await?;
    authorizer::wait_for_room(|| state.decisions.has_room()).await?;
    let authorizer = Authorizer::new(&state, &caller, context).with_nonce(nonce);
    Ok((state, Admitted { authorizer, body }))
}

fn conditions(headers: &HeaderMap) -> HeaderMap {
    let mut conditions = HeaderMap::new();
    for name in [IF_MATCH, IF_NONE_MATCH] {
        for value in headers.get_all(&name) {
            conditions.append(name.clone(), value.clone());
        }
    }
    conditions
}

handler_argument!(Authorized<O: Operation>);
