//! A PostgreSQL server with a standby that can take its place.

use super::link::{Link, Passage};
use super::private_postgres::PrivatePostgres;

/// The server, a link to it, and a standby that follows through another one.
pub struct WithStandby {
    pub primary: PrivatePostgres,
    pub standby: PrivatePostgres,
    /// Cut, it keeps later writes from the standby.
    pub stream: Link,
    pub link: Link,
}

impl WithStandby {
    /// `None`, with a message, if PostgreSQL is not installed.
    pub async fn start() -> Option<Self> {
        let primary = PrivatePostgres::start(None)?;
        let stream = Link::to(primary.port()).await;
        let standby = primary.standby(stream.address().port());
        let link = Link::to(primary.port()).await;
        Some(Self {
            primary,
            standby,
            stream,
            link,
        })
    }

    /// Through that link.
    pub fn url(link: &Link) -> String {
        PrivatePostgres::url("127.0.0.1", link.address().port(), "sslmode=disable")
    }

    /// From now on the standby has what was committed, and nothing of what will be.
    pub async fn fall_behind(&self) {
        self.primary.wait_until_followed().await;
        self.stream.set(Passage::Cut);
    }

    /// The server dies, and the link leads to the standby.
    pub fn fail_over(&self) {
        self.primary.kill();
        self.standby.promote();
        self.link.lead_to(self.standby.port());
    }
}
