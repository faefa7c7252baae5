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

fn with(response: Response, name: &str, schema: Object, description: &str) -> Response {
    let header = Header::new(schema).description(description).required(true);
    response.add_header(name, header)
}

/// A response with the headers of all responses.
#[must_use]
pub fn answer(description: impl Into<String>) -> Response {
    let id = || text().pattern("^[A-Za-z0-9._-]{1,128}$");
    let about = "Identifies this request in the logs; the client's own id if it sent one.";
    let answer = with(Response::new(description), "x-request-id", id(), about);
    with(answer, "x-correlation-id", id(), "The same.")
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
    let about = "This version, for `if-match` and `if-none-match`.";
    with(response, "etag", etag_schema(), about)
}

#[must_use]
pub fn with_location(response: Response) -> Response {
    let path = text().format(SchemaFormat::Custom("uri-reference".to_owned()));
    with(
        response,
        "location",
        path,
        "The path of the created resource.",
    )
}

#[must_use]
pub fn with_retry_after(response: Response) -> Response {
    let about = "Seconds to wait; the retry needs a new signature.";
    with(response, "retry-after", seconds(), about)
}

#[must_use]
pub fn with_rate_limit(response: Response) -> Response {
    [
        ("limit", "The allowed number of requests."),
        ("remaining", "The remaining number of requests."),
        ("reset", "Seconds until more are allowed."),
    ]
    .into_iter()
    .fold(response, |response, (name, about)| {
        with(response, &format!("x-ratelimit-{name}"), seconds(), about)
    })
}

#[must_use]
pub fn with_cookie(response: Response) -> Response {
    let value = text().pattern("^(refresh_token|device)=");
    let about = "The refresh token, 30 days; in a second one the browser's name, one year. HttpOnly, SameSite=Lax, \
                 for `/api/auth`.";
    with(response, "set-cookie", value, about)
}

#[must_use]
pub fn with_challenge(response: Response) -> Response {
    with(
        response,
        "www-authenticate",
        text(),
        "The accepted schemes.",
    )
}

pub fn describe_condition(operation: &mut Operation, name: &str, description: &str) {
    let parameter = Parameter::new(name)
        .location(ParameterIn::Header)
        .required(Required::False)
        .description(description)
        .schema(etags_schema());
    operation.parameters.insert(parameter);
}
