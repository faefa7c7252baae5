use percent_encoding::{NON_ALPHANUMERIC, percent_decode, percent_encode};
use proptest::prelude::*;
use salvo::http::HeaderValue;

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_path_has_one_spelling() {
    for good in [
        "/",
        "/a",
        "/organizations/info",
        "/a-b._~c",
        "/a:b@c",
        "/a!$&'()*+,=",
        "/a.b",
        "/...",
        "/.a",
        "/%20",
        "/%E2%98%82",
        "/%25",
        "/%252F",
        "/%3B",
        "/%3F",
        "/%23",
        "/%5E",
        "/%3A",
        "/%40",
        "/%21",
        "/%2B",
        "/a:b%3Ac",
    ] {
        assert_eq!(check_path(good.as_bytes()), Ok(()), "`{good}` was refused");
    }
    for bad in [
        "",
        "a",
        "*",
        "//",
        "//a",
        "/a/",
        "/a//b",
        "/.",
        "/..",
        "/./a",
        "/a/..",
        "/a/../b",
        "/%2e",
        "/%2E",
        "/%2E%2E/a",
        "/%61",
        "/%7E",
        "/%2D",
        "/%2F",
        "/%2f",
        "/a%2Fb",
        "/%5C",
        "/%5c",
        "/%00",
        "/a%00",
        "/%0A",
        "/%1F",
        "/%7F",
        "/%C2%85",
        "/%FF",
        "/%C0%AF",
        "/%ED%A0%80",
        "/%E2%98",
        "/%e2%98%82",
        "/%",
        "/%4",
        "/%zz",
        "/%4g",
        "/a;b",
        "/;",
        "/a b",
        "/a^b",
        "/a\"b",
        "/a<b",
        "/a{b}",
        "/a|b",
        "/a\\b",
        "/a`b",
        "/a[b]",
        "/a#b",
        "/a?b",
        "/é",
        "/a\u{7f}",
        "/a\tb",
        "/%3a",
    ] {
        assert!(check_path(bad.as_bytes()).is_err(), "`{bad}` was taken");
    }
    assert!(check_path(b"/\xFF").is_err());
}

#[test]
fn a_query_is_taken_as_sent() {
    for good in [
        "a=1", "a", "=", "&&", "a=%zz", "a=%61", "a=1&a=2", "a=/?:@;,", "a[]=1", "%2F", "a+b",
    ] {
        assert_eq!(check_query(good.as_bytes()), Ok(()), "`{good}` was refused");
    }
    for bad in [
        "", "a^", "a\"", "a<", "a>", "a{", "a}", "a|", "a\\", "a`", "a b", "a#b", "é", "a\0",
    ] {
        assert!(check_query(bad.as_bytes()).is_err(), "`{bad}` was taken");
    }
}

fn host(version: Version, authority: Option<&str>, lines: &[&str]) -> bool {
    let authority: Option<Authority> = authority.map(|text| text.parse().expect("an authority"));
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(
            "host",
            HeaderValue::from_bytes(line.as_bytes()).expect("a value"),
        );
    }
    check_host(version, authority.as_ref(), &headers).is_ok()
}

#[test]
fn a_refused_scheme_is_named() {
    let uri: Uri = "ftp://a/x".parse().expect("a target");
    let error = check(Version::HTTP_2, &uri, &HeaderMap::new()).expect_err("a refusal");
    assert_eq!(error.code(), Code::NonCanonicalTarget);
    assert_eq!(
        error.message(),
        "the scheme of the request target must be `http` or `https`"
    );
}

#[test]
fn there_is_one_host() {
    let (h1, h2) = (Version::HTTP_11, Version::HTTP_2);
    for (version, authority, lines) in [
        (h1, None, &["a"][..]),
        (h1, None, &["a.example:8080"]),
        (h1, None, &["127.0.0.1:1"]),
        (h1, None, &["[::1]:8080"]),
        (h1, None, &["[::1]"]),
        (h1, Some("a:1"), &["A:1"]),
        (h2, Some("a"), &[]),
        (h2, Some("a"), &["a"]),
        (h2, None, &["a"]),
    ] {
        assert!(
            host(version, authority, lines),
            "{authority:?} {lines:?} was refused"
        );
    }
    for (version, authority, lines) in [
        (h1, None, &[][..]),
        (h1, None, &[""]),
        (h1, None, &["a", "a"]),
        (h1, None, &["a", "b"]),
        (h1, None, &["a b"]),
        (h1, None, &["u@a"]),
        (h1, None, &["a:"]),
        (h1, None, &["a:x"]),
        (h1, None, &["a:99999"]),
        (h1, None, &[":80"]),
        (h1, None, &["a/b"]),
        (h1, None, &["a,b"]),
        (h1, None, &["é"]),
        (h1, None, &["http://a"]),
        (h1, Some("a"), &[]),
        (h1, Some("a"), &["b"]),
        (h1, Some("a:80"), &["a"]),
        (h1, Some("u@a"), &["a"]),
        (h2, None, &[]),
        (h2, Some("a"), &["b"]),
        (h2, Some("a"), &["a", "a"]),
        (h2, Some("a"), &[""]),
        (h2, Some("u@a"), &[]),
    ] {
        assert!(
            !host(version, authority, lines),
            "{authority:?} {lines:?} was taken"
        );
    }
}

/// A path as a normalizing proxy forwards it: dots and empty segments resolved, no unreserved character escaped, all
/// others as they were (RFC 3986 section 6.2.2).
fn canonical(path: &[u8]) -> Vec<u8> {
    let mut segments: Vec<Vec<u8>> = Vec::new();
    for segment in path.split(|&byte| byte == b'/') {
        let segment = normalized(segment);
        match segment.as_slice() {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let mut canonical = Vec::new();
    for segment in &segments {
        canonical.push(b'/');
        canonical.extend(segment);
    }
    if canonical.is_empty() {
        canonical.push(b'/');
    }
    canonical
}

fn normalized(segment: &[u8]) -> Vec<u8> {
    let mut normalized = Vec::new();
    let mut rest = segment;
    while let [byte, after @ ..] = rest {
        let escape = rest.get(..3).filter(|_| *byte == b'%');
        let decoded = escape.and_then(|escape| {
            let mut bytes = percent_decode(escape);
            bytes.next().filter(|_| bytes.next().is_none())
        });
        rest = if decoded.is_some() { &rest[3..] } else { after };
        let (byte, was_escaped) = (decoded.unwrap_or(*byte), decoded.is_some());
        let stays = if was_escaped {
            is_unreserved(byte)
        } else {
            stands_for_itself(byte)
        };
        if stays {
            normalized.push(byte);
        } else {
            normalized.extend(format!("%{byte:02X}").bytes());
        }
    }
    normalized
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn accepted_paths_are_canonical(
        path in "(/|//|\\.|%2E|%2e|%41|%3B|%3A|%3a|%20|%C3%A9|%C3|[a-z]|[A-Z0-9~;:%^]|é){0,8}"
    ) {
        let path = format!("/{path}");
        if check_path(path.as_bytes()).is_ok() {
            prop_assert_eq!(String::from_utf8(canonical(path.as_bytes())).unwrap(), path);
        }
    }

    #[test]
    fn canonical_paths_are_taken(segments in prop::collection::vec("[a-z %é;.^?#@+]{1,6}", 0..4)) {
        let escaped = |segment: &String| {
            percent_encode(segment.as_bytes(), NON_ALPHANUMERIC).to_string()
        };
        let raw: String = segments.iter().flat_map(|segment| ["/".into(), escaped(segment)]).collect();
        let path = canonical(raw.as_bytes());
        prop_assert_eq!(check_path(&path), Ok(()), "{}", String::from_utf8_lossy(&path));
    }
}
