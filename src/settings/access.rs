//! `[access]`: the policy decision point.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use secrecy::{ExposeSecret as _, SecretString};

use super::reader::Reader;
use super::tokens::{SHORTEST_TOKEN, of_token};
use super::values::Access;
use super::web_address::web_address;
use charter_authn::access_clients::{AccessToken, OPERATOR};

const MAX_NAME_LENGTH: usize = 64;

pub(super) fn read(reader: &mut Reader, taken: [SocketAddr; 2]) -> Access {
    let listen: Option<SocketAddr> = reader.parsed("access.listen", None, |text| match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            format!("`{text}` is not an ip address and port: write one such as `127.0.0.1:9091`")
        }),
    });
    if listen.is_some_and(|listen| listen.port() != 0 && taken.contains(&listen)) {
        reader.disagreement(
            "access.listen",
            "is the same as `server.listen` or `server.ops_listen`: give another port",
        );
    }
    let tokens = reader.parsed_list("access.tokens", token);
    let (mut names, mut secrets) = (BTreeSet::new(), BTreeMap::new());
    for token in &tokens {
        if let Some(other) = secrets.insert(token.secret.expose_secret(), token.name.as_str()) {
            let message = format!(
                "gives `{other}` and `{}` the same token: give each client its own",
                token.name
            );
            reader.disagreement("access.tokens", message);
        }
        if !names.insert(token.name.as_str()) {
            let message = format!("has two tokens of the name `{}`", token.name);
            reader.disagreement("access.tokens", message);
        }
    }
    Access {
        listen,
        base_url: reader.parsed("access.base_url", None, |text| match text {
            "" => Ok(None),
            text => web_address(text, "https://access.example.com")
                .map(|_| Some(text.trim_end_matches('/').to_owned())),
        }),
        tokens,
    }
}

/// Parses `name:token`. Errors never contain the token.
fn token(text: &str) -> Result<AccessToken, String> {
    let (name, secret) = text
        .split_once(':')
        .ok_or("an entry is not of the form `name:token`")?;
    let well_named = (1..=MAX_NAME_LENGTH).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !well_named {
        return Err(format!(
            "an entry's name is not 1 to {MAX_NAME_LENGTH} characters of `a-z 0-9 -`"
        ));
    }
    if name == OPERATOR {
        return Err(format!("`{OPERATOR}` is the name of `server.ops_token`"));
    }
    if secret.len() < SHORTEST_TOKEN || !secret.bytes().all(of_token) {
        return Err(format!(
            "the token of `{name}` must be at least {SHORTEST_TOKEN} characters of `A-Z a-z 0-9 - . _ ~ + / =`, \
             such as `openssl rand -hex 32` prints"
        ));
    }
    Ok(AccessToken {
        name: name.to_owned(),
        secret: SecretString::from(secret),
    })
}
