//! One request has one text, one signature one spelling.

#![cfg(test)]

use proptest::prelude::*;
use signing::{
    Authorization, EMPTY_BODY_SHA256, Key, Malformed, Signature, StringToSign,
    is_valid_content_hash, is_valid_nonce, sha256_hex,
};

const DATE: &str = "2025-09-30T12:00:00Z";
const NONCE: &str = "unique-request-id";

fn new<'a>(method: &'a str, target: &'a str) -> Result<StringToSign<'a>, Malformed> {
    StringToSign::new(method, target, DATE, NONCE, EMPTY_BODY_SHA256)
}

#[test]
fn a_target_is_split_at_its_first_question_mark() {
    let signed = new("GET", "/a?b=?&c").expect("well-formed");
    assert_eq!((signed.path(), signed.query()), ("/a", "b=?&c"));
    assert_eq!(new("GET", "/a?"), Err(Malformed::EmptyQuery));
}

#[test]
fn parts_that_could_blur_the_lines_are_refused() {
    for method in ["", "get", "Get", "GE T", "GET\n", "GÉT", "GET\0"] {
        assert_eq!(new(method, "/a"), Err(Malformed::Method), "{method:?}");
    }
    for target in [
        "",
        "a",
        "*",
        "http://a/b",
        "?a",
        "/a\nb",
        "/a?b\nc",
        "/a b",
        "/a?b c",
        "/a#b",
        "/a?b#c",
        "/a\0",
        "/a\r",
        "/a\t",
        "/a\u{7f}",
        "/a?b\u{85}",
    ] {
        assert_eq!(new("GET", target), Err(Malformed::Target), "{target:?}");
    }
    for date in [
        "",
        "2025-09-30 12:00:00",
        "2025\n",
        "2025-09-30T12:00:00Z\r",
        "é",
    ] {
        let signed = StringToSign::new("GET", "/a", date, NONCE, EMPTY_BODY_SHA256);
        assert_eq!(signed, Err(Malformed::Date), "{date:?}");
    }
}

#[test]
fn a_nonce_is_8_to_128_unreserved_characters() {
    for good in ["12345678", "AZaz09._~-", &"n".repeat(128)] {
        assert!(is_valid_nonce(good), "{good:?}");
    }
    for bad in [
        "",
        "1234567",
        &"n".repeat(129),
        "1234567\n",
        "1234 5678",
        "12345678é",
        "12345678=",
        "12345678/",
        "12345678+",
        "１２３４５６７８",
    ] {
        assert!(!is_valid_nonce(bad), "{bad:?}");
        let signed = StringToSign::new("GET", "/a", DATE, bad, EMPTY_BODY_SHA256);
        assert_eq!(signed, Err(Malformed::Nonce), "{bad:?}");
    }
}

#[test]
fn a_content_hash_is_64_lowercase_digits() {
    assert!(is_valid_content_hash(EMPTY_BODY_SHA256));
    assert_eq!(sha256_hex(b""), EMPTY_BODY_SHA256);
    for bad in [
        "",
        "UNSIGNED-PAYLOAD",
        &EMPTY_BODY_SHA256.to_uppercase(),
        &EMPTY_BODY_SHA256[1..],
        &format!("{EMPTY_BODY_SHA256}0"),
        &EMPTY_BODY_SHA256.replace('e', "g"),
    ] {
        assert!(!is_valid_content_hash(bad), "{bad:?}");
        let signed = StringToSign::new("GET", "/a", DATE, NONCE, bad);
        assert_eq!(signed, Err(Malformed::ContentHash), "{bad:?}");
    }
}

#[test]
fn a_string_to_sign_has_six_lines() {
    let text = new("GET", "/a").expect("well-formed").to_string();
    assert_eq!(text.matches('\n').count(), 5);
    assert!(!text.ends_with('\n'));
    for bad in ["", "GET\n/a", &format!("{text}\n"), &format!("v1\n{text}")] {
        assert!(StringToSign::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn an_authorization_is_a_scheme_a_key_and_a_signature() {
    let signature = "VtPmGNLbdaESLhb9yiWPzNzRgdB4DysvdktztplRBDU=";
    for scheme in ["HMAC ", "hmac ", "Hmac  "] {
        assert!(Authorization::parse(&format!("{scheme}sa_a_b_c:{signature}")).is_ok());
    }
    for bad in [
        String::new(),
        "HMAC".to_owned(),
        "HMAC ".to_owned(),
        format!("HMAC\tsa_a_b_c:{signature}"),
        format!(" HMAC sa_a_b_c:{signature}"),
        format!("HMAC sa_a_b_c: {signature}"),
        format!("HMAC sa_a_b_c:{signature} "),
        format!("HMAC sa_a_b_c::{signature}"),
        format!("HMAC sa_a_b_c{signature}"),
        format!("HMAC :{signature}"),
        format!("HMAC sa a:{signature}"),
        format!("HMAC {}:{signature}", "a".repeat(129)),
        format!("HMAC sa_a_b_c:{signature}, HMAC sa_a_b_c:{signature}"),
        format!("Bearer sa_a_b_c:{signature}"),
        format!("HMAC-SHA256 sa_a_b_c:{signature}"),
    ] {
        assert!(Authorization::parse(&bad).is_err(), "`{bad}` was read");
    }
}

#[test]
fn a_key_does_not_show_itself() {
    assert!(!format!("{:?}", Key::new("sk_live_test")).contains("sk_live"));
}

proptest! {
    #[test]
    fn a_signature_has_one_spelling(bytes: [u8; 32]) {
        let text = Signature::from_bytes(bytes).to_string();
        prop_assert_eq!(text.len(), 44);
        let read: Signature = text.parse().expect("canonical");
        prop_assert_eq!(read.as_bytes(), &bytes);
        // The character before the padding carries four bits and two that must be zero.
        for other in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']) {
            let spelling = format!("{}{other}=", &text[..42]);
            if let Ok(read) = spelling.parse::<Signature>() {
                prop_assert_eq!(read.to_string(), spelling);
            }
        }
        for bad in [
            text.trim_end_matches('=').to_owned(),
            format!("{text}="),
            format!("{}\n", &text[..43]),
            format!(" {}", &text[..43]),
            format!("{}==", &text[..42]),
            text.replace('=', "-"),
        ] {
            prop_assert!(bad.parse::<Signature>().is_err(), "`{}` was read", bad);
        }
    }

    #[test]
    fn a_text_reads_back_as_the_parts_it_was_made_of(
        method in "[A-Z]{1,8}",
        path in "/[!-~&&[^?#]]{0,40}",
        query in "[!-~&&[^#]]{0,40}",
        date in "[!-~]{1,30}",
        nonce in "[A-Za-z0-9._~-]{8,128}",
        body: Vec<u8>,
    ) {
        let target = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
        let hash = sha256_hex(&body);
        let signed = StringToSign::new(&method, &target, &date, &nonce, &hash)
            .expect("well-formed");
        let text = signed.to_string();
        prop_assert_eq!(StringToSign::parse(&text), Ok(signed));
        prop_assert_eq!((signed.path(), signed.query()), (path.as_str(), query.as_str()));
        let key = Key::new("sk_live_test");
        prop_assert!(signed.verify(&key, &signed.sign(&key)).is_ok());
    }

    /// Whatever the parts: two that are accepted and differ never share a text.
    #[test]
    fn no_two_requests_share_a_text(
        one in any_parts(),
        other in any_parts(),
    ) {
        let read = |parts: &[String; 5]| {
            let [method, target, date, nonce, hash] = parts;
            StringToSign::new(method, target, date, nonce, hash).map(|signed| signed.to_string())
        };
        if let (Ok(first), Ok(second)) = (read(&one), read(&other)) {
            prop_assert_eq!(first == second, one == other);
        }
    }
}

/// Parts that are mostly well-formed and come from few values, so that clashes would be found.
fn any_parts() -> impl Strategy<Value = [String; 5]> {
    (
        "[GP\n]{1,2}",
        "/[a?\n]{0,4}",
        "[0Z\n]{1,2}",
        "nnnnnnn[n\n]{1,2}",
        "0{63}[0\n]",
    )
        .prop_map(|(method, target, date, nonce, hash)| [method, target, date, nonce, hash])
}
