//! The published vectors hold, and each pins every element of its request.

#![cfg(test)]

use serde_json::Value;
use signing::{Authorization, Key, Request, Signature, StringToSign, content_matches, sha256_hex};

const VECTORS: &str = include_str!("../vectors/signing.json");
const ACCESS_KEY: &str = "sa_a1b2c3_d4e5f6_demo";

struct Case {
    name: String,
    method: String,
    target: String,
    date: String,
    nonce: String,
    body: String,
    content_sha256: String,
    string_to_sign: String,
    signature: String,
}

impl Case {
    fn signed(&self) -> StringToSign<'_> {
        StringToSign::new(
            &self.method,
            &self.target,
            &self.date,
            &self.nonce,
            &self.content_sha256,
        )
        .expect("well-formed")
    }

    fn signature(&self) -> Signature {
        self.signature.parse().expect("canonical")
    }
}

fn vectors() -> (Key, Vec<Case>) {
    let file: Value = serde_json::from_str(VECTORS).expect("json");
    let cases: Vec<Case> = file["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .map(|case| {
            let text = |name: &str| case[name].as_str().expect("a string").to_owned();
            let target = match text("query").as_str() {
                "" => text("path"),
                query => format!("{}?{query}", text("path")),
            };
            Case {
                name: text("name"),
                method: text("method"),
                target,
                date: text("x-date"),
                nonce: text("x-nonce"),
                body: text("body"),
                content_sha256: text("x-content-sha256"),
                string_to_sign: text("string_to_sign"),
                signature: text("signature"),
            }
        })
        .collect();
    assert!(!cases.is_empty());
    (
        Key::new(file["secret_key"].as_str().expect("a secret")),
        cases,
    )
}

#[test]
fn every_vector_is_signed_as_published() {
    let (key, cases) = vectors();
    for case in cases {
        let signed = case.signed();
        assert_eq!(signed.to_string(), case.string_to_sign, "{}", case.name);
        assert_eq!(
            signed.sign(&key).to_string(),
            case.signature,
            "{}",
            case.name
        );
        assert_eq!(
            signed.verify(&key, &case.signature()),
            Ok(()),
            "{}",
            case.name
        );
        assert_eq!(sha256_hex(case.body.as_bytes()), case.content_sha256);
        assert!(content_matches(case.body.as_bytes(), &case.content_sha256));
    }
}

#[test]
fn a_client_sends_what_a_server_verifies() {
    let (key, cases) = vectors();
    for case in cases {
        let headers = Request {
            method: &case.method,
            target: &case.target,
            body: case.body.as_bytes(),
            date: &case.date,
            nonce: &case.nonce,
        }
        .sign(ACCESS_KEY, &key)
        .expect("well-formed");
        assert_eq!(
            headers.pairs().map(|(name, _)| name),
            ["authorization", "x-date", "x-nonce", "x-content-sha256"]
        );
        let authorization = Authorization::parse(&headers.authorization).expect("well-formed");
        assert_eq!(authorization.access_key(), ACCESS_KEY);
        assert_eq!(authorization.signature().to_string(), case.signature);
        assert_eq!(authorization.to_string(), headers.authorization);
        assert_eq!(headers.content_sha256, case.content_sha256);
    }
}

#[test]
fn no_changed_element_verifies() {
    let (key, cases) = vectors();
    for case in cases {
        let signature = case.signature();
        let parts = [
            &case.method,
            &case.target,
            &case.date,
            &case.nonce,
            &case.content_sha256,
        ];
        let mut tried = 0;
        for (at, part) in parts.iter().enumerate() {
            for changed in one_character_changes(part) {
                let mut parts = parts.map(String::as_str);
                parts[at] = &changed;
                let [method, target, date, nonce, hash] = parts;
                // What is not even well-formed is refused earlier; that counts too.
                if let Ok(other) = StringToSign::new(method, target, date, nonce, hash) {
                    assert!(
                        other.verify(&key, &signature).is_err(),
                        "{}: `{changed}` passed for `{part}`",
                        case.name
                    );
                    tried += 1;
                }
            }
        }
        assert!(tried > 500, "only {tried} changes were well-formed");
        let signed = case.signed();
        for bit in 0..256 {
            let mut bytes = *signature.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(signed.verify(&key, &Signature::from_bytes(bytes)).is_err());
        }
        for secret in ["sk_live_tes", "sk_live_tesu", "sk_live_test\n", "test", ""] {
            assert!(signed.verify(&Key::new(secret), &signature).is_err());
        }
    }
}

/// Each position replaced, dropped and doubled, and a swap of neighbours.
fn one_character_changes(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut variants = Vec::new();
    for at in 0..characters.len() {
        for other in ['0', 'A', 'z', '/', '?', '&', '%', '-', '\n'] {
            let mut changed = characters.clone();
            changed[at] = other;
            variants.push(changed);
        }
        let mut dropped = characters.clone();
        let removed = dropped.remove(at);
        variants.push(dropped);
        let mut doubled = characters.clone();
        doubled.insert(at, removed);
        variants.push(doubled);
        if at > 0 {
            let mut swapped = characters.clone();
            swapped.swap(at - 1, at);
            variants.push(swapped);
        }
    }
    variants
        .into_iter()
        .map(String::from_iter)
        .filter(|changed| changed != text)
        .collect()
}
