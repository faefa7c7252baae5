//! Errors in the OpenAPI document: one schema, shared by every operation.

use salvo::oapi::{
    Array, BasicType, Components, Content, EndpointOutRegister, Object, Operation, Ref, RefOr,
    Response, Schema,
};

use super::{ApiError, Code, ErrorType};

impl EndpointOutRegister for ApiError {
    fn register(components: &mut Components, operation: &mut Operation) {
        components
            .schemas
            .entry("Error".to_owned())
            .or_insert_with(|| RefOr::Type(schema()));
        for error_type in ErrorType::ALL {
            // Two types share 403; the first one's entry stands for both.
            let status = error_type.status().as_str().to_owned();
            if operation.responses.contains_key(&status) {
                continue;
            }
            let names: Vec<_> = ErrorType::ALL
                .into_iter()
                .filter(|other| other.status() == error_type.status())
                .map(ErrorType::as_str)
                .collect();
            operation.responses.insert(
                status,
                Response::new(names.join(", ")).add_content(
                    "application/json",
                    Content::new(Ref::from_schema_name("Error")),
                ),
            );
        }
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
            text().enum_values(ErrorType::ALL.map(ErrorType::as_str)),
        )
        .required("type")
        .property(
            "code",
            text().enum_values(Code::ALL.iter().map(|code| code.as_str())),
        )
        .required("code")
        .property("message", text())
        .required("message")
        .property("request_id", text())
        .required("request_id")
        .property(
            "details",
            Array::new()
                .items(detail)
                .description("only for VALIDATION_FAILED"),
        )
        .property(
            "decision_id",
            text().description("only where a policy decided"),
        );
    Schema::Object(Box::new(
        Object::new().property("error", error).required("error"),
    ))
}
