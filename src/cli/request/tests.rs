//! Tests of building, printing and showing, without a network.

use std::time::Duration;

use signing::{Authorization, Key, StringToSign, content_matches};
use ureq::http::{HeaderMap, HeaderValue, StatusCode, Version};

use super::prepare::{Credentials, Prepared, Wanted, prepare};
use super::send::ServerResponse;
use super::*;
use charter_domain::timestamp::{self, Timestamp};

const BASE: &str = "http://127.0.0.1:8080";
const CREDENTIALS: Credentials<'_> = Credentials {
    access_key: "sa_a1b2c3_d4e5f6_demo",
    secret_key: "sk_live_test",
};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        timestamp::parse("2025-09-30T12:00:00.5Z").expect("a date")
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// 0, 1, 2, …
struct Counting;

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for (byte, value) in buffer.iter_mut().zip(0..) {
            *byte = value;
        }
    }
}

fn built(
    method: &str,
    base_url: &str,
    target: &str,
    headers: &[&str],
    body: Option<&[u8]>,
) -> Result<Prepared, RequestError> {
    let headers: Vec<String> = headers.iter().map(ToString::to_string).collect();
    let wanted = Wanted {
        base_url,
        method,
        target,
        headers: &headers,
        body: body.map(<[u8]>::to_vec),
        body_file: None,
    };
    prepare(wanted, CREDENTIALS, &Noon, &Counting)
}

fn value<'a>(prepared: &'a Prepared, name: &str) -> Option<&'a str> {
    let (_, value) = prepared.headers.iter().find(|(given, _)| given == name)?;
    value.to_str().ok()
}

#[test]
fn the_sent_request_is_the_signed_one() {
    for (method, target, body) in [
        ("get", "/organizations/info", None),
        (
            "GET",
            "/service-accounts?order_by=%2Dcreated_at&page=1",
            None,
        ),
        // Unusual, but valid here; the server decides.
        ("GET", "//organizations/./info/", None),
        ("GET", "/a/../b//c;d?e=%7e&e=[1]{2}", None),
        (
            "PATCH",
            "/organizations/info",
            Some("{\"name\":\"Ação ☂\"}".as_bytes()),
        ),
        ("DELETE", "/a", Some(b"{}".as_slice())),
    ] {
        let request = built(method, BASE, target, &[], body).expect("well-formed");
        let header = |name| value(&request, name).expect("signed");
        assert_eq!(header("x-date"), "2025-09-30T12:00:00Z");
        assert_eq!(header("x-nonce"), "000102030405060708090a0b0c0d0e0f");
        assert_eq!(request.uri.to_string(), format!("{BASE}{target}"));
        assert_eq!(request.method.as_str(), method.to_uppercase());
        let sent = request.uri.path_and_query().expect("a target").as_str();
        let signed = StringToSign::new(
            request.method.as_str(),
            sent,
            header("x-date"),
            header("x-nonce"),
            header("x-content-sha256"),
        )
        .expect("well-formed");
        let authorization = Authorization::parse(header("authorization")).expect("well-formed");
        assert_eq!(authorization.access_key(), CREDENTIALS.access_key);
        assert_eq!(
            signed.verify(&Key::new(CREDENTIALS.secret_key), authorization.signature()),
            Ok(())
        );
        assert!(content_matches(
            request.body.as_deref().unwrap_or_default(),
            signed.content_sha256()
        ));
    }
}

#[test]
fn a_target_that_would_not_travel_unchanged_is_refused() {
    for target in [
        "",
        "organizations/info",
        "http://other/a",
        "*",
        "/a b",
        "/a#b",
        "/a?",
        "/a\n",
        "/á",
        "/a?b=á",
        "/a\\\u{1}",
    ] {
        assert!(built("GET", BASE, target, &[], None).is_err(), "{target:?}");
    }
}

#[test]
fn a_base_url_is_scheme_host_and_port() {
    for good in [
        BASE,
        "http://127.0.0.1:8080/",
        "https://charter.example.org",
        "http://[::1]:8080",
        "HTTPS://charter.example.org",
    ] {
        assert!(built("GET", good, "/a", &[], None).is_ok(), "`{good}`");
    }
    for bad in [
        "",
        "charter.example.org",
        "127.0.0.1:8080",
        "ftp://a",
        "http://",
        "http://a/b",
        "http://a/?b",
        "http://a?b",
        "http://a#b",
        "http://user@a",
        "http://user:secret@a",
        "http://a//",
        " http://a",
    ] {
        let refused = built("GET", bad, "/a", &[], None);
        assert!(matches!(refused, Err(RequestError::BaseUrl(_))), "`{bad}`");
    }
}

#[test]
fn a_further_header_replaces_no_signed_one() {
    let merge = "Content-Type: application/merge-patch+json";
    let request =
        built("PATCH", BASE, "/a", &[merge, "if-match:\"1\""], Some(b"{}")).expect("good");
    assert_eq!(
        value(&request, "content-type"),
        Some("application/merge-patch+json")
    );
    assert_eq!(value(&request, "if-match"), Some("\"1\""));
    for bad in [
        "X-Nonce: 12345678",
        "authorization: x",
        "x-date: x",
        "x-content-sha256: x",
        "host: x",
        "content-length: 1",
        "no colon",
        "a b: c",
        ": c",
        "a: b\r\nc: d",
        "a: é",
        "x-nonce : a",
    ] {
        let refused = built("GET", BASE, "/a", &[bad], None);
        assert!(matches!(refused, Err(RequestError::Header(..))), "{bad:?}");
    }
}

#[test]
fn a_curl_line_is_quoted_for_the_shell() {
    let body = Some(br#"{"name":"it's $HOME"}"#.as_slice());
    let request = built("PATCH", BASE, "/a?b=[1]&c", &[], body).expect("good");
    insta::assert_snapshot!(curl::line(&request).expect("text"), @r#"curl --path-as-is --globoff --silent --show-error --request PATCH --header 'authorization: HMAC sa_a1b2c3_d4e5f6_demo:x4bG/C3MG1pGJOTc78CYSkmowWJbVO83y8x3pwJna3k=' --header 'x-date: 2025-09-30T12:00:00Z' --header 'x-nonce: 000102030405060708090a0b0c0d0e0f' --header 'x-content-sha256: 2efadd847e98db023ae644b18a31b94bc1c524629b2b875062cd5e16c8d34ea9' --header 'content-type: application/json' --header 'accept: application/json' --data-raw '{"name":"it'\''s $HOME"}' --url 'http://127.0.0.1:8080/a?b=[1]&c'"#);
    for body in [b"\xff".as_slice(), b"a\0b"] {
        let request = built("PATCH", BASE, "/a", &[], Some(body)).expect("good");
        assert!(matches!(
            curl::line(&request),
            Err(RequestError::UnprintableBody)
        ));
        let request = Prepared {
            body_file: Some("a b".to_owned()),
            ..request
        };
        let line = curl::line(&request).expect("a file holds it");
        assert!(line.contains(" --data-binary '@a b' --url "), "{line}");
    }
}

fn shown(status: StatusCode, body: &str, include: bool, terminal: bool) -> (String, String) {
    let mut headers = HeaderMap::new();
    headers.insert("etag", HeaderValue::from_static("\"1\""));
    let odd = HeaderValue::from_bytes(b"a\\b\xc3\xa9\xc2\x9b31m\xff").expect("a value");
    headers.insert("x-odd", odd);
    let answer = ServerResponse {
        status,
        version: Version::HTTP_11,
        headers,
        body: body.into(),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console {
        out: &mut out,
        err: &mut err,
        out_is_terminal: terminal,
        input: &mut std::io::empty(),
    };
    report::show(&answer, include, &mut console).expect("written");
    (
        String::from_utf8(out).expect("text"),
        String::from_utf8(err).expect("text"),
    )
}

#[test]
fn a_program_gets_the_bytes_and_a_person_the_layout() {
    let body = r#"{"name":"Acme"}"#;
    assert_eq!(shown(StatusCode::OK, body, false, false).0, body);
    assert_eq!(
        shown(StatusCode::OK, body, false, true).0,
        "{\n  \"name\": \"Acme\"\n}\n"
    );
    assert_eq!(shown(StatusCode::OK, "text", false, true).0, "text\n");
    assert_eq!(shown(StatusCode::OK, "", false, true).0, "");
    assert_eq!(
        shown(StatusCode::OK, body, true, false).0,
        format!("HTTP/1.1 200 OK\netag: \"1\"\nx-odd: a\\bé\\u009b31m\u{fffd}\n\n{body}")
    );
}

#[test]
fn nothing_reaches_a_terminal_that_it_would_obey() {
    let body = "{\"a\":\"\u{9b}31m\u{202e}é\\u001b\"}";
    let (out, _) = shown(StatusCode::OK, body, false, true);
    assert_eq!(out, "{\n  \"a\": \"\\u009b31m\\u202eé\\u001b\"\n}\n");
    let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("json");
    assert_eq!(same(&out), same(body));
    assert_eq!(shown(StatusCode::OK, body, false, false).0, body);
    let (out, _) = shown(StatusCode::OK, "\u{9b}31m", false, true);
    assert_eq!(out, "\\u009b31m\n");
}

#[test]
fn a_refusal_is_told_in_words() {
    let body = r#"{"error":{"type":"VALIDATION_FAILED","code":"VALIDATION_FAILED","message":"a value breaks a rule",
        "request_id":"r1","details":[{"field":"/name","message":"must not be \u001b[31mempty"}]}}"#;
    let (out, err) = shown(StatusCode::UNPROCESSABLE_ENTITY, body, false, true);
    assert_eq!(out, "");
    insta::assert_snapshot!(err, @r"
    error: 422 VALIDATION_FAILED
      a value breaks a rule
      /name: must not be \u001b[31mempty
      request id: r1
    ");
    let body = r#"{"error":{"type":"FORBIDDEN","code":"NOT_PERMITTED","message":"no policy allows it",
        "request_id":"r1","decision_id":"d1"}}"#;
    let (out, err) = shown(StatusCode::FORBIDDEN, body, false, false);
    assert_eq!(
        out,
        format!("{body}\n"),
        "the error begins on a line of its own"
    );
    insta::assert_snapshot!(err, @r"
    error: 403 FORBIDDEN NOT_PERMITTED
      no policy allows it
      request id: r1
      decision: d1
    ");
    let (_, err) = shown(StatusCode::BAD_GATEWAY, "<html>", false, false);
    insta::assert_snapshot!(err, @"error: 502 Bad Gateway, and the answer is not one of charter's; see that CHARTER_BASE_URL names its server");
}

#[test]
fn a_body_is_taken_byte_for_byte() {
    let mut input = b"from input\n".as_slice();
    let read = |data, input: &mut &[u8]| read_body(data, input).expect("readable");
    assert_eq!(read(None, &mut input), None);
    assert_eq!(read(Some(" {}\n"), &mut input), Some(b" {}\n".to_vec()));
    assert_eq!(read(Some("@-"), &mut input), Some(b"from input\n".to_vec()));
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), b"\xff\n").expect("written");
    let name = format!("@{}", file.path().display());
    assert_eq!(read(Some(&name), &mut input), Some(b"\xff\n".to_vec()));
    assert!(read_body(Some("@/nowhere/at/all"), &mut input).is_err());
}

#[test]
fn a_missing_credential_is_named() {
    assert!(present("CHARTER_SECRET_KEY", Some("sk")).is_ok());
    for missing in [None, Some("")] {
        let error = present("CHARTER_SECRET_KEY", missing).expect_err("missing");
        assert!(error.to_string().contains("CHARTER_SECRET_KEY"));
    }
    assert_eq!(secret(Some("sk_live_a~!")).ok(), Some("sk_live_a~!"));
    for malformed in ["sk\n", " sk", "s k", "sk\u{e9}", "sk\r"] {
        let error = secret(Some(malformed)).expect_err("malformed");
        assert!(matches!(error, RequestError::MalformedSecret(_)), "{error}");
    }
}
