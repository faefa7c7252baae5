//! JSON bodies as input, each declared once: the same lines give the parser and the OpenAPI schema.

use salvo::oapi::schema::AdditionalProperties;
use salvo::oapi::{
    Components, Content, Object, Operation as OpenApiOperation, Ref, RequestBody, Required,
};
use serde_json::json;

use crate::extract::fields::{Fields, present};
use crate::extract::input::{Input, RequestInput};
use crate::extract::{body, json};
use crate::respond::{ApiError, ErrorType, error_document};

#[derive(Debug, Clone)]
pub struct Body<T>(pub T);

/// The members of a JSON object; declared by [`request_body!`].
pub trait BodyInput: Send + Sync + Sized {
    /// The schema's name in the OpenAPI document.
    const NAME: &'static str;
    /// Whether it is also accepted as `application/merge-patch+json`.
    const MERGE_PATCH: bool = false;
    /// Whether a missing body means an empty object.
    const MAY_BE_ABSENT: bool = false;
    /// Fields that the server sets; their presence is a fault.
    const READ_ONLY: &'static [&'static str] = &[];
    /// Error types of operations with this body, in addition to their own.
    const REFUSES: &'static [ErrorType] = &[];

    /// Reads the fields. `None` only if `finish` will fail.
    fn read(fields: &mut Fields) -> Option<Self>;

    fn schema(components: &mut Components) -> Object;
}

/// Declares a request body.
///
/// ```ignore
/// request_body! {
///     /// What the document says of the body.
///     pub struct NewAccount as "NewAccount" {
///         required name: Name = "Production",
///         /// What the document says of the member, if the type itself does not say it.
///         optional account_id as "accountId": AccountId,
///         default metadata: Metadata,
///     }
///     const MERGE_PATCH: bool = true;
/// }
/// ```
///
/// A member is `required`; or `optional`, then an `Option`; or has the `default` of its type. Its type is a
/// [`BodyValue`](crate::extract::body_value::BodyValue). `as` gives a different name in JSON, and `=` an example
/// if the type has none or not a suitable one. After the members follow constants of [`BodyInput`] that differ
/// from the defaults.
macro_rules! request_body {
    (
        $(#[doc = $doc:literal])*
        pub struct $body:ident as $name:literal {$(
            $(#[doc = $about:literal])*
            $kind:ident $member:ident $(as $json:literal)?: $of:ty $(= $example:expr)?
        ),* $(,)?}
        $($constants:tt)*
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $body {
            $($(#[doc = $about])* pub(crate) $member: request_body!(@type $kind $of),)*
        }

        impl $crate::extract::json_body::BodyInput for $body {
            const NAME: &'static str = $name;
            $($constants)*

            fn read(fields: &mut $crate::extract::fields::Fields) -> Option<Self> {
                $(let $member = fields.$kind::<$of>(request_body!(@name $member $($json)?));)*
                // Only after all were read, so that all faults are reported together.
                Some(Self { $($member: $member?),* })
            }

            fn schema(components: &mut salvo::oapi::Components) -> salvo::oapi::Object {
                use $crate::extract::body_value::{BodyValue, described};
                let object = salvo::oapi::Object::new()
                    .description([$($doc.trim()),*].join("\n"));
                $(
                    let schema = <$of as BodyValue>::schema(components);
                    let example = request_body!(@example $($example)?);
                    let name = request_body!(@name $member $($json)?);
                    let object = object.property(name, described(schema, &[$($about),*], example));
                    let object = request_body!(@mark $kind object name);
                )*
                object
            }
        }
    };
    (@type optional $of:ty) => { Option<$of> };
    (@type $kind:ident $of:ty) => { $of };
    (@name $member:ident) => { stringify!($member) };
    (@name $member:ident $json:literal) => { $json };
    (@example) => { None };
    (@example $example:expr) => { Some(serde_json::json!($example)) };
    (@mark required $object:ident $name:ident) => { $object.required($name) };
    (@mark $kind:ident $object:ident $name:ident) => { $object };
}
pub(crate) use request_body;

impl<T: BodyInput> Input for Body<T> {
    fn read(request: &mut RequestInput<'_>) -> Result<Self, ApiError> {
        let object = if T::MAY_BE_ABSENT && request.body.is_empty() {
            serde_json::Map::new()
        } else {
            body::require_json(request.method, request.headers)?;
            json::parse_object(&request.body)?
        };
        let mut fields = Fields::new(object);
        for name in T::READ_ONLY {
            fields.read_only(name);
        }
        let input = T::read(&mut fields);
        fields.finish()?;
        present(input).map(Self)
    }

    fn describe(components: &mut Components, operation: &mut OpenApiOperation) {
        let schema = Ref::from_schema_name(T::NAME);
        let object = T::schema(components);
        // Like `Fields`, which refuses unknown members.
        let object = object.additional_properties(AdditionalProperties::FreeForm(false));
        components.schemas.insert(T::NAME.to_owned(), object);
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
        let refusals = [
            ErrorType::PayloadTooLarge,
            ErrorType::UnsupportedMediaType,
            ErrorType::ValidationFailed,
        ];
        for refusal in refusals.into_iter().chain(T::REFUSES.iter().copied()) {
            error_document::describe(components, operation, refusal);
        }
    }
}

#[derive(Debug, Clone)]
pub struct Nothing;

impl BodyInput for Nothing {
    const NAME: &'static str = "Nothing";
    const MAY_BE_ABSENT: bool = true;
    const REFUSES: &'static [ErrorType] = &[ErrorType::Unauthorized];

    fn read(_: &mut Fields) -> Option<Self> {
        Some(Self)
    }

    fn schema(_: &mut Components) -> Object {
        Object::new().description("Nothing.").examples([json!({})])
    }
}
