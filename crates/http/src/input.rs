//! A request's path, query and body, read within the operation's argument and nowhere else.

use std::str::FromStr;

use salvo::http::{HeaderMap, Method};
use salvo::hyper::body::Bytes;
use salvo::oapi::schema::AdditionalProperties;
use salvo::oapi::{
    BasicType, Components, Content, KnownFormat, Object, Operation as OpenApiOperation, Parameter,
    ParameterIn, RefOr, RequestBody, Required, Schema, SchemaFormat, ToSchema,
};
use salvo::routing::PathParams;

use charter_domain::id::{
    AccessKeyId, AccountId, DecisionId, InvitationId, ServiceAccountId, SessionId, UserId,
};

use super::body;
use super::error::{self, ApiError, ErrorType};
use super::fields::{Fields, present};
use super::json;
use super::operation::Input;
use super::query::Query;

/// What inputs are read from.
pub struct RequestInput<'a> {
    /// The method, which decides the media types.
    pub method: &'a Method,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The parameters of the matched path.
    pub path: &'a PathParams,
    /// The query; what no input takes is unknown.
    pub query: Query,
    /// The whole body.
    pub body: Bytes,
}

impl RequestInput<'_> {
    /// A typed id of the path; `None` if it is malformed, which is answered like a missing one.
    #[must_use]
    pub fn path_id<Id: FromStr>(&self, name: &str) -> Option<Id> {
        self.path.get(name)?.parse().ok()
    }
}

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
    error::describe(components, operation, ErrorType::NotFound);
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

/// A JSON body.
#[derive(Debug, Clone)]
pub struct Body<T>(pub T);

/// What a JSON object says.
pub trait BodyInput: Send + Sync + Sized {
    /// Describes it in the OpenAPI document; a test compares its fields with what `read` asks for.
    type Schema: ToSchema;
    /// Whether it may be sent as `application/merge-patch+json` too.
    const MERGE_PATCH: bool = false;
    /// Whether no body at all means an empty object.
    const MAY_BE_ABSENT: bool = false;
    /// Whether it is the portal's, where a broken value is a 400 (contract section 2).
    const ON_PORTAL: bool = false;
    /// How an operation that takes it may refuse, beyond what is said of the operation itself.
    const REFUSES: &'static [ErrorType] = &[];

    /// Takes its fields. `None` only where a required one is missing or broken.
    fn read(fields: &mut Fields) -> Option<Self>;
}

impl<T: BodyInput> Input for Body<T> {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        let object = if T::MAY_BE_ABSENT && request.body.is_empty() {
            serde_json::Map::new()
        } else {
            body::require_json(request.method, request.headers)?;
            json::parse_object(&request.body)?
        };
        let mut fields = Fields::new(object);
        let input = T::read(&mut fields);
        if T::ON_PORTAL {
            fields.finish_on_portal()?;
        } else {
            fields.finish()?;
        }
        present(input).map(Self)
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        let schema = T::Schema::to_schema(components);
        refuse_unknown_members(&schema, components);
        let mut body =
            RequestBody::new().add_content("application/json", Content::new(schema.clone()));
        if T::MERGE_PATCH {
            body = body.add_content("application/merge-patch+json", Content::new(schema));
        }
        let required = if T::MAY_BE_ABSENT {
            Required::False
        } else {
            Required::True
        };
        operation.request_body = Some(body.required(required));
        let refusals = [ErrorType::PayloadTooLarge, ErrorType::UnsupportedMediaType];
        let broken = (!T::ON_PORTAL).then_some(ErrorType::ValidationFailed);
        let more = T::REFUSES.iter().copied();
        for refusal in refusals.into_iter().chain(broken).chain(more) {
            error::describe(components, operation, refusal);
        }
    }
}

/// Says in a body's schema what `Fields` does: a member that it does not know is refused.
fn refuse_unknown_members(body: &RefOr<Schema>, components: &mut Components) {
    let RefOr::Ref(reference) = body else { return };
    let Some(name) = reference.ref_location.rsplit('/').next() else {
        return;
    };
    if let Some(RefOr::Type(Schema::Object(object))) = components.schemas.get_mut(name) {
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
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
    error::describe(components, operation, ErrorType::NotFound);
}

/// The text of an id.
#[must_use]
pub fn id_schema<Id: TypedId>() -> Object {
    Object::with_type(BasicType::String)
        .pattern(format!("^{}[0-7][0-9a-hjkmnp-tv-z]{{25}}$", Id::PREFIX))
}

/// Adds an optional query parameter to an operation.
pub fn describe_query(
    operation: &mut OpenApiOperation,
    name: &str,
    description: &str,
    schema: impl Into<Schema>,
) {
    let parameter = Parameter::new(name)
        .location(ParameterIn::Query)
        .required(Required::False)
        .description(description)
        .schema(schema.into());
    operation.parameters.insert(parameter);
}
