//! HTTP/2: a client that reads nothing before it has sent its whole body gets an early answer too.

use salvo::hyper::body::Bytes;
use salvo::hyper::http::Request;

use super::Server;
use super::connections::connect_h2;

/// More than the window of a stream holds, so the client cannot send it unless the server reads.
const LENGTHS: [usize; 3] = [65_536, 70_000, 200_000];

/// Sends the body whole, and only then looks for the answer. The status, or the reset of the stream.
async fn send_first(server: &Server, target: &str, length: usize, is_declared: bool) -> u16 {
    let (sender, driver) = connect_h2(server).await;
    let mut sender = sender.ready().await.expect("it is open");
    let mut request = Request::patch(format!("http://a{target}"));
    if is_declared {
        request = request.header("content-length", length);
    }
    let request = request.body(()).expect("a request");
    let (answer, mut body) = sender.send_request(request, false).expect("it is sent");
    body.reserve_capacity(length);
    let mut left = length;
    while left > 0 {
        let room = std::future::poll_fn(|context| body.poll_capacity(context)).await;
        let room = room
            .expect("the stream is open")
            .expect("no reset")
            .min(left);
        left -= room;
        let piece = Bytes::from(vec![b'x'; room]);
        body.send_data(piece, left == 0).expect("no reset");
    }
    let (head, mut stream) = answer.await.expect("an answer").into_parts();
    while let Some(data) = stream.data().await {
        let data = data.expect("no reset");
        let _enough = stream.flow_control().release_capacity(data.len());
    }
    drop((sender, body, stream));
    driver.abort();
    head.status.as_u16()
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_sends_first() {
    let server = Server::start();
    for length in LENGTHS {
        for is_declared in [true, false] {
            for (target, status) in [
                ("/organizations/info", 413),
                ("/organizations/info/", 400),
                ("/nowhere", 404),
            ] {
                let got = send_first(&server, target, length, is_declared).await;
                assert_eq!(got, status, "{target} {length} {is_declared}");
            }
        }
    }
    server.stop().await;
}
