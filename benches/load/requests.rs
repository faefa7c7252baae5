//! Generates requests with a key or token.

use std::sync::atomic::{AtomicU64, Ordering};

use charter_domain::entropy::{Entropy as _, OsEntropy};

use crate::charter::Client;

static CHANGES: AtomicU64 = AtomicU64::new(0);

/// Reads of the organization, each with a random key.
pub(crate) fn reads(keys: &[Client], host: &str, count: usize) -> Vec<Vec<u8>> {
    at_random(keys, count, |key| read(key, host))
}

/// A read of the organization.
pub(crate) fn read(key: &Client, host: &str) -> Vec<u8> {
    key.request("GET", "/organizations/info", "", host)
}

/// Changes of the organization's name to new ones.
pub(crate) fn changes(keys: &[Client], host: &str, count: usize) -> Vec<Vec<u8>> {
    at_random(keys, count, |key| {
        let number = CHANGES.fetch_add(1, Ordering::Relaxed);
        let body = format!(r#"{{"name":"Load {number}"}}"#);
        key.request("PATCH", "/organizations/info", &body, host)
    })
}

/// Reads of the organization in the portal, each with a random token.
pub(crate) fn bearer_reads(tokens: &[String], host: &str, count: usize) -> Vec<Vec<u8>> {
    at_random(tokens, count, |token| bearer_read(token, host))
}

/// A read of the organization in the portal.
pub(crate) fn bearer_read(token: &str, host: &str) -> Vec<u8> {
    let target = "/api/portal/organization";
    let text =
        format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n");
    text.into_bytes()
}

fn at_random<T>(from: &[T], count: usize, write: impl Fn(&T) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut bytes = vec![0; count * 4];
    OsEntropy.fill(&mut bytes);
    let (numbers, _) = bytes.as_chunks();
    let numbers = numbers.iter().map(|number| u32::from_le_bytes(*number));
    numbers
        .map(|number| write(&from[number as usize % from.len()]))
        .collect()
}
