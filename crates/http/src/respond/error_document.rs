//! Errors in the OpenAPI document: one schema, and one shared response for each type.

use salvo::oapi::{
    Array, BasicType, Components, Content, EndpointOutRegister, Example, Object, Operation, Ref,
    RefOr, Response, Schema,
};

use crate::respond::headers;
use charter_authn::rejection::Rejection;

use super::{ApiError, Code, Detail, ErrorType};

/// Possible for every operation: the edge refuses malformed requests, and dependencies may be unavailable.
const ALWAYS: [ErrorType; 3] = [
    ErrorType::InvalidRequest,
    ErrorType::InternalError,
    ErrorType::Unavailable,
];

impl EndpointOutRegister for ApiError {
    fn register(components: &mut Components, operation: &mut Operation) {
        for error_type in ALWAYS {
            describe(components, operation, error_type);
        }
    }
}

/// Declares that an operation may fail with this type.
pub fn describe(components: &mut Components, operation: &mut Operation, error_type: ErrorType) {
    components
        .schemas
        .entry("Error".to_owned())
        .or_insert_with(|| RefOr::Type(schema()));
    // Keeps the operation's own description.
    if !operation
        .responses
        .contains_key(error_type.status().as_str())
    {
        let name = format!("{error_type:?}");
        share(components, operation, &name, &[error_type]);
    }
}

/// Declares that a write may find a deactivated organization, which shares 403 with refusals of policies.
pub fn describe_deactivation(components: &mut Components, operation: &mut Operation) {
    share(
        components,
        operation,
        "ForbiddenOrDeactivated",
        &[ErrorType::Forbidden, ErrorType::OrganizationDeactivated],
    );
}

fn share(components: &mut Components, operation: &mut Operation, name: &str, types: &[ErrorType]) {
    let Some(first) = types.first() else { return };
    if !components.responses.contains_key(name) {
        components.responses.insert(name, answer(types));
    }
    operation.responses.insert(
        first.status().as_str(),
        Ref::new(format!("#/components/responses/{name}")),
    );
}

fn answer(types: &[ErrorType]) -> Response {
    let described: Vec<_> = types.iter().map(|it| it.described()).collect();
    let mut content = Content::new(Ref::from_schema_name("Error"));
    for error in types.iter().flat_map(|error_type| samples(*error_type)) {
        let value = serde_json::from_slice(&error.to_json("req-7f3a")).unwrap_or_default();
        content.examples.insert(
            error.code().as_str().to_owned(),
            RefOr::Type(Example::new().value(value)),
        );
    }
    let mut answer = headers::answer(described.join(". ")).add_content("application/json", content);
    for error_type in types {
        answer = match error_type {
            ErrorType::Unauthorized => headers::with_challenge(answer),
            ErrorType::RateLimitExceeded => {
                headers::with_rate_limit(headers::with_retry_after(answer))
            }
            ErrorType::Unavailable => headers::with_retry_after(answer),
            _ => answer,
        };
    }
    answer
}

impl ErrorType {
    /// The description of the type with its codes.
    fn described(self) -> String {
        let codes: Vec<_> = self.codes().iter().map(|code| code.as_str()).collect();
        if codes == [self.as_str()] {
            return self.as_str().to_owned();
        }
        let policies = match self {
            Self::Forbidden => ", or the code of the forbidding policy",
            _ => "",
        };
        format!("{}: {}{policies}", self.as_str(), codes.join(", "))
    }
}

/// Examples of the error.
fn samples(error_type: ErrorType) -> Vec<ApiError> {
    match error_type {
        ErrorType::InvalidRequest => vec![
            ApiError::invalid(Code::UnknownField, "unknown fields: `colour`"),
            ApiError::invalid(Code::WrongType, "`name` must be a string"),
        ],
        ErrorType::Unauthorized => vec![
            Rejection::MissingCredentials.into(),
            Rejection::InvalidSignature {
                string_to_sign: "GET\n/organizations/info\n\n2025-09-30T12:00:00Z\n3f1c0d6ab29e\n\
                    e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
                    .to_owned(),
            }
            .into(),
            Rejection::ReplayedNonce.into(),
        ],
        ErrorType::Forbidden => vec![ApiError::forbidden(
            Code::NotPermitted,
            "no policy permits `organizations:UpdateOrganization` here",
        )],
        ErrorType::OrganizationDeactivated => vec![ApiError::organization_deactivated()],
        ErrorType::NotFound => vec![ApiError::not_found()],
        ErrorType::MethodNotAllowed => vec![ApiError::method_not_allowed()],
        ErrorType::Conflict => vec![charter_store::Error::KeyNotActive.into()],
        ErrorType::PreconditionFailed => vec![ApiError::precondition_failed()],
        ErrorType::PayloadTooLarge => vec![ApiError::payload_too_large(65_536)],
        ErrorType::UnsupportedMediaType => vec![ApiError::unsupported_media_type(
            "the body must be `application/json`",
        )],
        ErrorType::ValidationFailed => vec![ApiError::validation_failed(vec![Detail::new(
            "/name",
            "must not be empty",
        )])],
        ErrorType::RateLimitExceeded => vec![ApiError::rate_limited(
            "this access key has used up its share of remembered nonces",
            1_000_000,
            0,
            12,
        )],
        ErrorType::InternalError => vec![ApiError::internal("")],
        ErrorType::NotImplemented => vec![ApiError::unsupported_transfer_coding()],
        ErrorType::Unavailable => vec![ApiError::unavailable("", 1)],
    }
}

fn schema() -> Schema {
    let text = || Object::with_type(BasicType::String);
    let detail = Object::new()
        .property("field", text().description("a JSON pointer into the body"))
        .required("field")
        .property("message", text())
        .required("message");
    let error = Object::new()
        .property(
            "type",
                        text().enum_values(ErrorType::ALL.iter().map(|it| it.as_str())),
        )
        .required("type")
        .property(
            "code",
            text()
                .pattern("^[A-Z][A-Z0-9_]*$")
                .examples(Code::ALL.iter().map(|code| code.as_str()))
                .description(
                    "for programs; equal to the type if there is nothing to add. A forbidding policy may set its own code",
                ),
        )
        .required("code")
        .property("message", text().description("for users; says what to do"))
        .required("message")
        .property(
            "request_id",
            text().description("the value of `x-request-id`; quote it when you ask for help"),
        )
        .required("request_id")
        .property(
            "details",
            Array::new()
                .items(detail)
                .description("for VALIDATION_FAILED, and if a part of the request was not allowed"),
        )
        .property(
            "decision_id",
            text().description("only for decisions of policies"),
        )
        .property(
            "string_to_sign",
            text().description("only for INVALID_SIGNATURE: what the signature must cover"),
        );
    Schema::Object(Box::new(
        Object::new()
            .description("The format of all errors.")
            .property("error", error)
            .required("error"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_codes_and_samples_of_its_own() {
        for error_type in ErrorType::ALL {
            assert!(!error_type.codes().is_empty());
            for sample in samples(*error_type) {
                assert_eq!(sample.status(), error_type.status());
                assert!(error_type.codes().contains(&sample.code()), "{sample:?}");
            }
        }
    }

    #[test]
    fn one_answer_is_shared_by_all_operations() {
        let (mut components, mut operation) = (Components::new(), Operation::new());
        ApiError::register(&mut components, &mut operation);
        let statuses: Vec<_> = operation.responses.keys().cloned().collect();
        assert_eq!(statuses, ["400", "500", "503"]);
        let json = serde_json::to_value(&operation.responses).expect("JSON");
        assert_eq!(json["503"]["$ref"], "#/components/responses/Unavailable");
        let schema = serde_json::to_value(&components.schemas["Error"]).expect("JSON");
        let codes = &schema["properties"]["error"]["properties"]["code"]["examples"];
        assert_eq!(codes.as_array().map(Vec::len), Some(Code::ALL.len()));
    }
}
