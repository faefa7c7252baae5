//! The baseline: a Salvo handler that returns a fixed body.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use salvo::conn::tcp::TcpAcceptor;
use salvo::http::header::{CONTENT_TYPE, HeaderValue};
use salvo::prelude::{Request, Response, Router, Server, handler};

static BODY: std::sync::OnceLock<String> = std::sync::OnceLock::new();

#[handler]
async fn fixed(response: &mut Response) {
    answer(response);
}

/// Reads the request's body first.
#[handler]
async fn fixed_after_body(request: &mut Request, response: &mut Response) {
    request.payload().await.expect("a body");
    answer(response);
}

fn answer(response: &mut Response) {
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
        .write_body(BODY.get().expect("set before serving").clone())
        .expect("a fresh body");
}

/// Prints its address and runs until killed.
pub(crate) fn serve(body: &str) {
    BODY.set(body.to_owned()).expect("set once");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        println!("{}", listener.local_addr().expect("bound"));
        let acceptor = TcpAcceptor::try_from(listener).expect("an acceptor");
        let router = Router::with_path("{**any}")
            .get(fixed)
            .post(fixed_after_body);
        Server::new(acceptor).serve(router).await;
    });
}

/// A child process that serves the body.
pub(crate) struct Bare {
    pub(crate) host: String,
    child: Child,
}

impl Bare {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Starts the baseline in its own process, like the service.
pub(crate) fn start(body: &str) -> Bare {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--bare-server", body])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the bare server starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("its address");
    Bare {
        host: line.trim().to_owned(),
        child,
    }
}
