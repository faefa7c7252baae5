//! Strict JSON: refuses what parsers interpret differently (contract section 2).
//!
//! Duplicate keys anywhere, a byte order mark, trailing data, invalid UTF-8, lone surrogates and nesting deeper
//! than 127 are `MALFORMED_JSON`; the library refuses all but duplicate keys.

use serde_json::{Map, Value};

use crate::respond::{ApiError, Code, printable};
use charter_domain::json;

/// The library's limit of nested arrays and objects.
const MAX_DEPTH: usize = 127;

/// Parses a body that must be a JSON object: `MALFORMED_JSON`, or `WRONG_TYPE` for other JSON.
pub fn parse_object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match parse(body)? {
        Value::Object(object) => Ok(object),
        _ => Err(ApiError::invalid(
            Code::WrongType,
            "the body must be a JSON object",
        )),
    }
}

/// Parses any JSON value; `MALFORMED_JSON` names the position.
pub fn parse(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Err(malformed("the body is empty, a JSON object is needed"));
    }
    json::from_slice(body).map_err(|error| {
        let fault = printable(&error.to_string());
        // These two are valid JSON, beyond what is read (RFC 8259 section 9).
        malformed(if fault.starts_with("recursion limit exceeded") {
            format!(
                "the body is nested more than {MAX_DEPTH} levels deep{}",
                place(&error)
            )
        } else if fault.starts_with("number out of range") {
            format!(
                "the body has a number beyond the range of a double{}",
                place(&error)
            )
        } else {
            format!("the body is not valid JSON: {fault}")
        })
    })
}

fn place(error: &serde_json::Error) -> String {
    format!(" at line {} column {}", error.line(), error.column())
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::invalid(Code::MalformedJson, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &[u8]) -> Option<Code> {
        parse_object(body).err().map(|error| error.code())
    }

    #[test]
    fn ambiguous_json_is_refused() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for bad in [
            &b""[..],
            b" ",
            b"{",
            b"{}{}",
            b"{} x",
            b"\xEF\xBB\xBF{}",
            b"{\"a\":1,\"a\":2}",
            b"{\"a\":1,\"\\u0061\":2}",
            b"{\"m\":{\"a\":[{\"b\":1,\"b\":1}]}}",
            b"{\"a\":\"\xFF\"}",
            b"{\"a\":\"\xC0\xAF\"}",
            b"{\"a\":\"\xED\xA0\x80\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\\udc00\\ud800\"}",
            b"{\"a\":\"line\nbreak\"}",
            b"{'a':1}",
            b"{a:1}",
            b"{\"a\":1,}",
            b"{\"a\":01}",
            b"{\"a\":+1}",
            b"{\"a\":1.}",
            b"{\"a\":NaN}",
            b"{\"a\":Infinity}",
            b"{\"a\":0x10}",
            b"{\"a\":1}//",
            b"\0",
        ] {
            let shown = String::from_utf8_lossy(bad);
            assert_eq!(code(bad), Some(Code::MalformedJson), "`{shown}` was read");
        }
        assert_eq!(code(deep(128).as_bytes()), Some(Code::MalformedJson));
        assert_eq!(code(deep(127).as_bytes()), Some(Code::WrongType));
    }

    #[test]
    fn valid_json_beyond_the_limits_is_not_called_invalid() {
        let refused = |body: &[u8]| {
            let error = parse(body).expect_err("a refusal");
            (error.code(), error.message().to_owned())
        };
        let deep = "[".repeat(128) + &"]".repeat(128);
        for (body, message) in [
            (
                &*deep,
                "the body is nested more than 127 levels deep at line 1 column 128",
            ),
            (
                "{\"a\": 1e400}",
                "the body has a number beyond the range of a double at line 1 column 11",
            ),
            (
                "{\"a\": -1e400}",
                "the body has a number beyond the range of a double at line 1 column 12",
            ),
        ] {
            assert_eq!(
                refused(body.as_bytes()),
                (Code::MalformedJson, message.to_owned())
            );
        }
    }

    #[test]
    fn a_body_is_an_object() {
        for other in ["null", "[]", "[{}]", "1", "\"{}\"", "true"] {
            assert_eq!(
                code(other.as_bytes()),
                Some(Code::WrongType),
                "`{other}` was taken"
            );
        }
        let body = br#" {"a":[1,-2,1.5,null,true,"\ud83d\ude00"],"b":{"a":{}}} "#;
        let object = parse_object(body).expect("an object");
        assert_eq!(
            Value::Object(object).to_string(),
            r#"{"a":[1,-2,1.5,null,true,"😀"],"b":{"a":{}}}"#
        );
    }
}
