//! Ids in a request's path.

use std::str::FromStr;

use salvo::oapi::{
    BasicType, Components, KnownFormat, Object, Operation as OpenApiOperation, Parameter,
    ParameterIn, Required, SchemaFormat,
};

use charter_domain::id::{
    AccessKeyId, AccountId, DecisionId, InvitationId, ServiceAccountId, SessionId, UserId,
};

use crate::extract::input::{Input, RequestInput};
use crate::respond::{ApiError, ErrorType, error_document};

/// `{id}` of the path; `None` if it is malformed.
#[derive(Debug, Clone, Copy)]
pub struct PathId<Id>(pub Option<Id>);

/// `{userId}` of the path, a UUID as the portal shows it; `None` if it is malformed.
#[derive(Debug, Clone, Copy)]
pub struct PathUserId(pub Option<UserId>);

impl Input for PathUserId {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        let text = request.path.get("userId").map_or("", String::as_str);
        Ok(Self(UserId::parse_uuid(text)))
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        describe_uuid(components, operation, "userId", "The member's id.");
    }
}

fn describe_uuid(
    components: &mut Components,
    operation: &mut OpenApiOperation,
    name: &str,
    of: &str,
) {
    let schema = Object::with_type(BasicType::String)
        .format(SchemaFormat::KnownFormat(KnownFormat::Uuid))
        .examples(["01980f3a-7b1c-7def-8a12-3456789abcde"]);
    let parameter = Parameter::new(name)
        .location(ParameterIn::Path)
        .required(Required::True)
        .description(of)
        .schema(schema);
    operation.parameters.insert(parameter);
    error_document::describe(components, operation, ErrorType::NotFound);
}

/// `{id}` of the path, a UUID as the portal shows it; `None` if it is malformed.
#[derive(Debug, Clone, Copy)]
pub struct PathUuid<Id>(pub Option<Id>);

/// An id that the portal shows as a UUID.
pub trait PortalId: Sized + Send + Sync {
    /// Whose it is, for the OpenAPI document.
    const OF: &'static str;

    /// Reads it.
    fn read(text: &str) -> Option<Self>;
}

impl PortalId for SessionId {
    const OF: &'static str = "The session's id.";

    fn read(text: &str) -> Option<Self> {
        Self::parse_uuid(text)
    }
}

impl PortalId for InvitationId {
    const OF: &'static str = "The invitation's id.";

    fn read(text: &str) -> Option<Self> {
        Self::parse_uuid(text)
    }
}

impl<Id: PortalId> Input for PathUuid<Id> {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        let text = request.path.get("id").map_or("", String::as_str);
        Ok(Self(Id::read(text)))
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        describe_uuid(components, operation, "id", Id::OF);
    }
}

/// An id that can stand in a path.
pub trait TypedId: FromStr + Send + Sync {
    /// What its text starts with.
    const PREFIX: &'static str;
    /// Whose it is, for the OpenAPI document.
    const OF: &'static str;
}

impl TypedId for AccountId {
    const PREFIX: &'static str = Self::PREFIX;
    const OF: &'static str = "The account's id.";
}

impl TypedId for ServiceAccountId {
    const PREFIX: &'static str = Self::PREFIX;
    const OF: &'static str = "The service account's id.";
}

impl TypedId for DecisionId {
    const PREFIX: &'static str = Self::PREFIX;
    const OF: &'static str = "The decision's id, as a 403 names it.";
}

impl TypedId for AccessKeyId {
    const PREFIX: &'static str = Self::PREFIX;
    const OF: &'static str = "The key's id, not its text.";
}

impl<Id: TypedId> Input for PathId<Id> {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        Ok(Self(request.path_id("id")))
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        describe_path::<Id>(components, operation, "id");
    }
}

/// Adds an id of the path to an operation; one that is not there is answered by 404.
pub fn describe_path<Id: TypedId>(
    components: &mut Components,
    operation: &mut OpenApiOperation,
    name: &str,
) {
    let parameter = Parameter::new(name)
        .location(ParameterIn::Path)
        .required(Required::True)
        .description(Id::OF)
        .schema(id_schema::<Id>());
    operation.parameters.insert(parameter);
    error_document::describe(components, operation, ErrorType::NotFound);
}

/// The text of an id.
#[must_use]
pub fn id_schema<Id: TypedId>() -> Object {
    Object::with_type(BasicType::String)
        .pattern(format!("^{}[0-7][0-9a-hjkmnp-tv-z]{{25}}$", Id::PREFIX))
}
