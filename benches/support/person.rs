//! The demo's owner as a client.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::charter::Charter;

/// A signed-in user.
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) token: String,
}

/// A response with `content-length`.
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) refresh_token: Option<String>,
    /// The device cookie, which identifies a known browser.
    pub(crate) device: Option<String>,
    pub(crate) body: String,
}

impl Person {
    pub(crate) fn sign_in(server: &Charter) -> Self {
        let (email, password) = (
            server.demo_value("CHARTER_PORTAL_EMAIL"),
            server.demo_value("CHARTER_PORTAL_PASSWORD"),
        );
        let answer = exchange(&server.host, &login(&email, &password, "", &server.host));
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

/// With additional header lines.
pub(crate) fn login(email: &str, password: &str, headers: &str, host: &str) -> Vec<u8> {
    let body = serde_json::json!({"email": email, "password": password}).to_string();
    let length = body.len();
    format!(
        "POST /api/auth/login HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
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
    exchange_on(&mut BufReader::new(stream), request).expect("an answer")
}

/// On a persistent connection.
pub(crate) fn exchange_on(
    connection: &mut BufReader<TcpStream>,
    request: &[u8],
) -> std::io::Result<Answer> {
    connection.get_mut().write_all(request)?;
    let mut answer = Answer {
        status: String::new(),
        refresh_token: None,
        device: None,
        body: String::new(),
    };
    let mut length = 0;
    connection.read_line(&mut answer.status)?;
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").expect("a header");
        if name == "content-length" {
            length = value.parse().expect("a length");
        } else if name == "set-cookie" {
            match value.split(['=', ';']).collect::<Vec<_>>()[..] {
                ["refresh_token", value, ..] => answer.refresh_token = Some(value.to_owned()),
                ["device", value, ..] => answer.device = Some(value.to_owned()),
                _ => {}
            }
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    answer.body = String::from_utf8(body).expect("text");
    Ok(answer)
}
