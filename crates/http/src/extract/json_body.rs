//! A JSON body as an operation's input.

use salvo::oapi::schema::AdditionalProperties;
use salvo::oapi::{
    Components, Content, Operation as OpenApiOperation, RefOr, RequestBody, Required, Schema,
    ToSchema,
};

use crate::extract::fields::{Fields, present};
use crate::extract::input::{Input, RequestInput};
use crate::extract::{body, json};
use crate::respond::{ApiError, ErrorType, error_document};

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
            error_document::describe(components, operation, refusal);
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
