//! A server that only listens: it checks each request's signature on the very bytes that arrived
//! and keeps what it saw. One request for each connection.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use charter_domain::clock::{Clock, SystemClock};
use charter_domain::timestamp;
use signing::{Authorization, Key, StringToSign, content_matches};

pub(crate) const ACCESS_KEY: &str = "sa_a1b2c3_d4e5f6_demo";
pub(crate) const SECRET_KEY: &str = "sk_live_test";
/// What a request that passes is answered.
pub(crate) const ANSWER: &str = r#"{"name":"Acme Corporation"}"#;

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Why it does not pass.
    pub(crate) fault: Option<String>,
}

impl Received {
    /// The value of the one header of that name.
    pub(crate) fn header(&self, name: &str) -> Result<&str, String> {
        let mut values = self.headers.iter().filter(|(given, _)| given == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Ok(value),
            (first, _) => Err(format!(
                "{name}: {}",
                first.map_or("missing", |_| "doubled")
            )),
        }
    }
}

pub(crate) struct SignedServer {
    pub(crate) base_url: String,
    received: Receiver<Received>,
}

impl SignedServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let (sender, received) = mpsc::channel();
        // Ends with the test's process, or with the first connection after the test.
        thread::spawn(move || serve(&listener, &sender));
        Self { base_url, received }
    }

    /// Everything that arrived since the last call.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.try_iter().collect()
    }
}

fn serve(listener: &TcpListener, sender: &Sender<Received>) {
    let mut nonces = HashSet::new();
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a timeout");
        // A client that connects and says nothing is its own test's failure.
        let Ok(mut request) = receive(&mut stream) else {
            continue;
        };
        request.fault = fault(&request, &mut nonces).err();
        let (status, answer) = match &request.fault {
            None => ("200 OK", ANSWER.to_owned()),
            Some(fault) => (
                "401 Unauthorized",
                serde_json::json!({"error": {"type": "UNAUTHORIZED", "code": "INVALID_SIGNATURE",
                    "message": fault, "request_id": "r1"}})
                .to_string(),
            ),
        };
        // Before the answer, so that a client that is done has been recorded.
        if sender.send(request).is_err() {
            return;
        }
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n",
            answer.len()
        );
        let _ = stream.write_all((head + &answer).as_bytes());
    }
}

fn receive(stream: &mut TcpStream) -> io::Result<Received> {
    let mut bytes = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut headers);
        let status = parsed.parse(&bytes).map_err(io::Error::other)?;
        if let httparse::Status::Complete(head) = status {
            let headers: Vec<_> = parsed
                .headers
                .iter()
                .map(|it| {
                    let value = String::from_utf8_lossy(it.value).into_owned();
                    (it.name.to_ascii_lowercase(), value)
                })
                .collect();
            let request = Received {
                method: parsed.method.unwrap_or_default().to_owned(),
                target: parsed.path.unwrap_or_default().to_owned(),
                headers,
                body: bytes.split_off(head),
                fault: None,
            };
            return receive_body(stream, request);
        }
        read_more(stream, &mut bytes)?;
    }
}

fn receive_body(stream: &mut TcpStream, mut request: Received) -> io::Result<Received> {
    let length = request.header("content-length").unwrap_or("0");
    let length: usize = length.parse().map_err(io::Error::other)?;
    while request.body.len() < length {
        read_more(stream, &mut request.body)?;
    }
    Ok(request)
}

fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => {
            bytes.extend_from_slice(&buffer[..count]);
            Ok(())
        }
    }
}

/// The checks of contract section 3, as far as they need no database.
fn fault(request: &Received, nonces: &mut HashSet<String>) -> Result<(), String> {
    let authorization =
        Authorization::parse(request.header("authorization")?).map_err(|it| it.to_string())?;
    if authorization.access_key() != ACCESS_KEY {
        return Err("another access key".to_owned());
    }
    let signed = StringToSign::new(
        &request.method,
        &request.target,
        request.header("x-date")?,
        request.header("x-nonce")?,
        request.header("x-content-sha256")?,
    )
    .map_err(|it| it.to_string())?;
    let date = timestamp::parse(signed.date()).map_err(|it| it.to_string())?;
    if (date - SystemClock::start().now()).num_seconds().abs() > 300 {
        return Err("another time".to_owned());
    }
    signed
        .verify(&Key::new(SECRET_KEY), authorization.signature())
        .map_err(|it| it.to_string())?;
    if !content_matches(&request.body, signed.content_sha256()) {
        return Err("another body".to_owned());
    }
    if !nonces.insert(signed.nonce().to_owned()) {
        return Err("the nonce again".to_owned());
    }
    let type_is_given = request.header("content-type").is_ok();
    if !request.body.is_empty() && !type_is_given {
        return Err("no content-type".to_owned());
    }
    Ok(())
}
