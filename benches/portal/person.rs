//! The demo's owner, over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::charter::Charter;

/// Somebody who is signed in.
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) token: String,
}

/// An answer with `content-length`.
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) cookie: Option<String>,
    pub(crate) body: String,
}

impl Person {
    pub(crate) fn sign_in(server: &Charter) -> Self {
        let (email, password) = (
            server.demo_value("CHARTER_PORTAL_EMAIL"),
            server.demo_value("CHARTER_PORTAL_PASSWORD"),
        );
        let answer = exchange(&server.host, &login(&email, &password, &server.host));
        assert!(answer.status.contains("200"), "{}", answer.body);
        let json: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        Self {
            email,
            password,
            token: json["access_token"].as_str().expect("a token").to_owned(),
        }
    }

    pub(crate) fn get(&self, target: &str, host: &str) -> Vec<u8> {
        let token = &self.token;
        format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n")
            .into()
    }

    pub(crate) fn organization(&self, host: &str) -> String {
        exchange(host, &self.get("/api/portal/organization", host)).body
    }
}

pub(crate) fn login(email: &str, password: &str, host: &str) -> Vec<u8> {
    let body = serde_json::json!({"email": email, "password": password}).to_string();
    let length = body.len();
    format!(
        "POST /api/auth/login HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into()
}

pub(crate) fn refresh(cookie: &str, host: &str) -> Vec<u8> {
    format!(
        "POST /api/auth/refresh HTTP/1.1\r\nhost: {host}\r\ncookie: refresh_token={cookie}\r\n\
         content-length: 0\r\n\r\n"
    )
    .into()
}

pub(crate) fn exchange(host: &str, request: &[u8]) -> Answer {
    let stream = TcpStream::connect(host).expect("connected");
    exchange_on(&mut BufReader::new(stream), request)
}

/// On a connection that is kept.
pub(crate) fn exchange_on(connection: &mut BufReader<TcpStream>, request: &[u8]) -> Answer {
    connection.get_mut().write_all(request).expect("sent");
    let (mut status, mut cookie, mut length) = (String::new(), None, 0);
    connection.read_line(&mut status).expect("a status line");
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).expect("a header");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").expect("a header");
        if name == "content-length" {
            length = value.parse().expect("a length");
        } else if name == "set-cookie" {
            let pair = value.split(';').next().expect("a pair");
            cookie = pair.strip_prefix("refresh_token=").map(str::to_owned);
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).expect("a body");
    Answer {
        status,
        cookie,
        body: String::from_utf8(body).expect("text"),
    }
}
