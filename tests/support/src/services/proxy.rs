//! A TCP proxy in front of a test's PostgreSQL server, whose connections can be cut or silenced.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::TestDatabase;

/// The state of open connections.
#[derive(Clone, Default)]
struct Faults {
    silence: CancellationToken,
    cut: CancellationToken,
    /// Connections that are not silenced.
    open: TaskTracker,
}

/// Closes its connections when dropped.
pub struct Proxy {
    url: String,
    faults: Arc<Mutex<Faults>>,
    _accepting: JoinSet<()>,
}

/// An address without a listener.
pub struct Reserved {
    socket: TcpSocket,
    url: String,
    server: PathBuf,
}

impl Reserved {
    pub fn before(database: &TestDatabase) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(any).expect("an address");
        let address = socket.local_addr().expect("its address");
        let url = url::Url::parse(database.url()).expect("a url");
        let mut hosts = url.query_pairs().filter(|(name, _)| name == "host");
        let (_, sockets) = hosts.next().expect("a directory of sockets");
        Self {
            socket,
            url: format!("postgres://charter@{address}{}", url.path()),
            server: PathBuf::from(&*sockets).join(".s.PGSQL.5432"),
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Starts accepting connections.
    pub fn listen(self) -> Proxy {
        let listener = self.socket.listen(64).expect("a listener");
        let faults = Arc::<Mutex<Faults>>::default();
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, self.server, Arc::clone(&faults)));
        Proxy {
            url: self.url,
            faults,
            _accepting: accepting,
        }
    }
}

impl Proxy {
    pub fn before(database: &TestDatabase) -> Self {
        Reserved::before(database).listen()
    }

    /// The database's URL through the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Closes all connections, as a restart of the server does.
    pub async fn cut(&self) {
        let faults = std::mem::take(&mut *self.faults.lock());
        faults.cut.cancel();
        faults.open.close();
        faults.open.wait().await;
    }

    /// From now on, open connections transmit nothing and stay open.
    pub async fn silence(&self) {
        let faults = std::mem::take(&mut *self.faults.lock());
        faults.silence.cancel();
        faults.open.close();
        faults.open.wait().await;
    }

    /// The same for connections that are opened later, too.
    pub fn silence_for_good(&self) {
        self.faults.lock().silence.cancel();
    }
}

async fn accept(listener: TcpListener, server: PathBuf, faults: Arc<Mutex<Faults>>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (faults, open) = {
            let faults = faults.lock();
            (faults.clone(), faults.open.token())
        };
        connections.spawn(carry(client, server.clone(), faults, open));
    }
}

async fn carry(mut client: TcpStream, server: PathBuf, faults: Faults, open: TaskTrackerToken) {
    let mut server = UnixStream::connect(server).await.expect("the server");
    tokio::select! {
        biased;
        () = faults.silence.cancelled() => {}
        () = faults.cut.cancelled() => return,
        // Either side has closed the connection.
        _ = copy_bidirectional(&mut client, &mut server) => return,
    }
    drop(open);
    // Until the proxy is dropped.
    std::future::pending::<()>().await;
}
