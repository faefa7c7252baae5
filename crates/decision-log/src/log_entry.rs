//! A decision on its way from the request to the writer, which renders it.

use std::net::IpAddr;
use std::sync::Arc;

use super::via::Via;
use charter_authz::decide::CedarRequest;
use charter_authz::decision::Decision;
use charter_authz::principal::Principal;
use charter_authz::resource::Resource;
use charter_domain::id::DecisionId;
use charter_domain::timestamp::Timestamp;

#[derive(Debug)]
pub(crate) struct LogEntry {
    pub(super) id: DecisionId,
    pub(super) at: Timestamp,
    pub(super) request_id: String,
    pub(super) via: Via,
    pub(super) tells_id: bool,
    pub(super) source_ip: IpAddr,
    pub(super) principal: Arc<Principal>,
    pub(super) subject: EvaluationInput,
    pub(super) decision: Arc<Decision>,
}

/// What was evaluated.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are the large one, which is moved and not copied out to the heap"
)]
pub(super) enum EvaluationInput {
    /// The input of Cedar.
    Evaluated(CedarRequest),
    /// Type and id of a resource for which the schema does not allow the question.
    NotEvaluable(&'static str, String),
}

impl EvaluationInput {
    pub(super) fn new(asked: Option<CedarRequest>, resource: &Resource<'_>) -> Self {
        asked.map_or_else(
            || Self::NotEvaluable(resource.kind().type_name(), resource_id(resource)),
            Self::Evaluated,
        )
    }
}

impl EvaluationInput {
    pub(super) fn is_about(&self, id: &str) -> bool {
        match self {
            Self::NotEvaluable(_, about) => about == id,
            Self::Evaluated(asked) => asked
                .request
                .resource()
                .is_some_and(|uid| uid.id().unescaped() == id),
        }
    }
}

fn resource_id(resource: &Resource<'_>) -> String {
    match resource {
        Resource::Organization(organization) => organization.id.to_string(),
        Resource::Account { account, .. } => account.id.to_string(),
        Resource::ServiceAccount {
            service_account, ..
        } => service_account.id.to_string(),
        Resource::AccessKey { access_key, .. } => access_key.id.to_string(),
        Resource::User { user, .. } => user.id.to_string(),
        Resource::Role(name) | Resource::Permission(name) => (*name).to_owned(),
    }
}
