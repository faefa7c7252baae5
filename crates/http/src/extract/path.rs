//! Ids in a request's path. A malformed one is `None` and counts as missing.

use salvo::oapi::{
    BasicType, Components, KnownFormat, Object, Operation as OpenApiOperation, Parameter,
    ParameterIn, Required, SchemaFormat,
};

use charter_domain::id::{
    AccessKeyId, AccountId, DecisionId, InvitationId, ServiceAccountId, SessionId, TypedId, UserId,
};

use crate::extract::input::{Input, RequestInput};
use crate::extract::values::id_schema;
use crate::respond::{ApiError, ErrorType, error_document};

/// An id in the format of the machine surface.
#[derive(Debug, Clone, Copy)]
pub struct PathId<Id>(pub Option<Id>);

/// An id in the format of the portal.
#[derive(Debug, Clone, Copy)]
pub struct PathUuid<Id>(pub Option<Id>);

/// An id that the machine surface shows with its prefix.
pub trait MachineId: TypedId + Send + Sync {
    const PARAMETER: &'static str = "id";
    /// The description in the OpenAPI document.
    const OF: &'static str;
}

/// An id that the portal shows as a UUID.
pub trait PortalId: Sized + Send + Sync {
    const PARAMETER: &'static str = "id";
    /// The description in the OpenAPI document.
    const OF: &'static str;

    fn parse(text: &str) -> Option<Self>;
}

macro_rules! machine_ids {
    ($($id:ident $(in $parameter:literal)?: $of:literal,)*) => {$(
        impl MachineId for $id {
            $(const PARAMETER: &'static str = $parameter;)?
            const OF: &'static str = $of;
        }
    )*};
}

macro_rules! portal_ids {
    ($($id:ident $(in $parameter:literal)?: $of:literal,)*) => {$(
        impl PortalId for $id {
            $(const PARAMETER: &'static str = $parameter;)?
            const OF: &'static str = $of;

            fn parse(text: &str) -> Option<Self> {
                Self::parse_uuid(text)
            }
        }
    )*};
}

machine_ids! {
    AccountId: "The account's id.",
    ServiceAccountId: "The service account's id.",
    DecisionId: "The decision's id, from a 403.",
    AccessKeyId in "key_id": "The key's id (`key-…`), not the access key itself.",
}

portal_ids! {
    UserId in "userId": "The member's id.",
    SessionId: "The session's id.",
    InvitationId: "The invitation's id.",
}

impl<Id: MachineId> Input for PathId<Id> {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        Ok(Self(request.path_parameter(Id::PARAMETER).parse().ok()))
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        describe(
            components,
            operation,
            Id::PARAMETER,
            Id::OF,
            id_schema::<Id>(),
        );
    }
}

impl<Id: PortalId> Input for PathUuid<Id> {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        Ok(Self(Id::parse(request.path_parameter(Id::PARAMETER))))
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        let schema = Object::with_type(BasicType::String)
            .format(SchemaFormat::KnownFormat(KnownFormat::Uuid))
            .examples(["01980f3a-7b1c-7def-8a12-3456789abcde"]);
        describe(components, operation, Id::PARAMETER, Id::OF, schema);
    }
}

fn describe(
    components: &mut Components,
    operation: &mut OpenApiOperation,
    name: &str,
    of: &str,
    schema: Object,
) {
    let parameter = Parameter::new(name)
        .location(ParameterIn::Path)
        .required(Required::True)
        .description(of)
        .schema(schema);
    operation.parameters.insert(parameter);
    error_document::describe(components, operation, ErrorType::NotFound);
}
