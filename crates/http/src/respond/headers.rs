//! Headers in the OpenAPI document.

use salvo::oapi::{
    BasicType, Header, Object, Operation, Parameter, ParameterIn, Required, Response, SchemaFormat,
};

fn text() -> Object {
    Object::with_type(BasicType::String)
}

fn seconds() -> Object {
    Object::with_type(BasicType::Integer).minimum(0)
}

fn header(schema: Object, description: &str) -> Header {
    Header::new(schema).description(description).required(true)
}

/// A response with the headers of all responses.
#[must_use]
pub fn answer(description: impl Into<String>) -> Response {
    let id = || text().pattern("^[A-Za-z0-9._-]{1,128}$");
    Response::new(description)
        .add_header(
            "x-request-id",
            header(
                id(),
                "Identifies this request in the logs; the client's own id if it sent one.",
            ),
        )
        .add_header("x-correlation-id", header(id(), "The same."))
}

fn etag_schema() -> Object {
    text()
        .pattern(r#"^"[!#-~]*"$"#)
        .examples([r#""org-01k6dyspfte23tskdzn1kqd65k.1""#])
}

/// `*`, or entity tags (RFC 9110 sections 13.1.1 and 13.1.2).
#[must_use]
fn etags_schema() -> Object {
    text()
        .pattern(r#"^(\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$"#)
        .examples(["*"])
}

#[must_use]
pub fn with_etag(response: Response) -> Response {
    response.add_header(
        "etag",
        header(
            etag_schema(),
            "This version, for `if-match` and `if-none-match`.",
        ),
    )
}

#[must_use]
pub fn with_location(response: Response) -> Response {
    response.add_header(
        "location",
        header(
            text().format(SchemaFormat::Custom("uri-reference".to_owned())),
            "The path of the created resource.",
        ),
    )
}

#[must_use]
pub fn with_retry_after(response: Response) -> Response {
    response.add_header(
        "retry-after",
        header(
            seconds(),
            "Seconds to wait; the retry needs a new signature.",
        ),
    )
}

#[must_use]
pub fn with_rate_limit(response: Response) -> Response {
    response
        .add_header(
            "x-ratelimit-limit",
            header(seconds(), "The allowed number of requests."),
        )
        .add_header(
            "x-ratelimit-remaining",
            header(seconds(), "The remaining number of requests."),
        )
        .add_header(
            "x-ratelimit-reset",
            header(seconds(), "Seconds until more are allowed."),
        )
}

#[must_use]
pub fn with_cookie(response: Response) -> Response {
    response.add_header(
        "set-cookie",
        header(
            text().pattern("^(refresh_token|device)="),
            "The refresh token, 30 days; in a second one the browser's name, one year. HttpOnly, \
             SameSite=Lax, for `/api/auth`.",
        ),
    )
}

#[must_use]
pub fn with_challenge(response: Response) -> Response {
    response.add_header("www-authenticate", header(text(), "The accepted schemes."))
}

pub fn describe_condition(operation: &mut Operation, name: &str, description: &str) {
    let parameter = Parameter::new(name)
        .location(ParameterIn::Header)
        .required(Required::False)
        .description(description)
        .schema(etags_schema());
    operation.parameters.insert(parameter);
}
