//! A TCP connection between two services that can be cut or slowed, and mended.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    Open,
    /// Connections end, and new ones, too.
    Cut,
    /// What the server says arrives that much later.
    Slow(Duration),
}

/// Closes its connections when dropped.
pub struct Link {
    address: SocketAddr,
    /// Where new connections lead.
    port: Arc<AtomicU16>,
    passage: watch::Sender<Passage>,
    _accepting: JoinSet<()>,
}

impl Link {
    /// To a server on this port.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (passage, seen) = watch::channel(Passage::Open);
        let mut accepting = JoinSet::new();
        let address = listener.local_addr().expect("its number");
        let port = Arc::new(AtomicU16::new(port));
        let leads_to = Arc::clone(&port);
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let port = leads_to.load(Ordering::SeqCst);
                connections.spawn(carry(client, port, seen.clone()));
            }
        });
        Self {
            address,
            port,
            passage,
            _accepting: accepting,
        }
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections lead to the server on this port. Those that are open stay as they are.
    pub fn lead_to(&self, port: u16) {
        self.port.store(port, Ordering::SeqCst);
    }

    pub fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

async fn carry(client: TcpStream, port: u16, mut passage: watch::Receiver<Passage>) {
    if *passage.borrow() == Passage::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let seen = passage.clone();
    tokio::select! {
        () = pump(from_client, to_server, || Duration::ZERO) => {}
        () = pump(from_server, to_client, || match *seen.borrow() {
            Passage::Slow(delay) => delay,
            _ => Duration::ZERO,
        }) => {}
        _ = passage.wait_for(|passage| *passage == Passage::Cut) => {}
    }
}

/// Until either side closes. What is delayed does not delay what comes after it any further.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: impl Fn() -> Duration) {
    let (sender, mut waiting) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            if sender
                .send((Instant::now() + delay(), bytes[..count].to_vec()))
                .is_err()
            {
                break;
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = waiting.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(read, write);
}
