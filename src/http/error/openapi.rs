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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_status_refers_to_the_one_schema() {
        let (mut components, mut operation) = (Components::new(), Operation::new());
        operation
            .responses
            .insert("404", Response::new("the handler's own words"));
        ApiError::register(&mut components, &mut operation);
        let statuses: Vec<_> = operation.responses.keys().cloned().collect();
        assert_eq!(
            statuses,
            [
                "400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "429", "500",
                "503"
            ]
        );
        let json = serde_json::to_value(&operation.responses).expect("JSON");
        assert_eq!(
            json["403"]["description"],
            "FORBIDDEN, ORGANIZATION_DEACTIVATED"
        );
        assert_eq!(
            json["403"]["content"]["application/json"]["schema"]["$ref"],
            "#/components/schemas/Error"
        );
        assert_eq!(json["404"]["description"], "the handler's own words");
        let schema = serde_json::to_value(&components.schemas["Error"]).expect("JSON");
        let codes = &schema["properties"]["error"]["properties"]["code"]["enum"];
        assert_eq!(codes.as_array().map(Vec::len), Some(Code::ALL.len()));
    }
}
