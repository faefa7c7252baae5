//! Strict JSON: refuses what parsers interpret differently (contract section 2).
//!
//! Duplicate keys anywhere, a byte order mark, trailing data, invalid UTF-8, lone surrogates and nesting deeper
//! than 127 are `MALFORMED_JSON`; the library refuses all but duplicate keys.

use serde_json::{Map, Value};

use crate::respond::{ApiError, Code, printable};
use charter_domain::json;

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
        malformed(format!("the body is not valid JSON: {fault}"))
    })
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
    fn what_could_be_read_two_ways_is_refused() {
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
