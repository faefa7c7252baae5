//! HTTP/2: what is unread of a body when its request has been answered.

use std::time::Duration;

use futures_util::StreamExt as _;
use salvo::http::header::CONTENT_LENGTH;
use salvo::http::{Request, Version};
use tokio::time::timeout;

/// Bytes of one body that a client may send before they are read.
pub(super) const STREAM_WINDOW: u32 = 64 * 1024 - 1;

/// In bytes, the window included.
const MAX_DISCARDED: u64 = 256 * 1024;

/// Reads and discards the rest of a body before the response is sent. RFC 9113 section 8.1 lets a server respond and
/// reset the stream instead, but common clients then lose the response if they have not sent everything.
pub(super) async fn discard(request: &mut Request, limit: Duration) {
    if request.version() != Version::HTTP_2 {
        return;
    }
    let declared = request.headers().get(CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let needs_no_reading = |length| length <= u64::from(STREAM_WINDOW) || length > MAX_DISCARDED;
    if declared.is_some_and(needs_no_reading) {
        return;
    }
    let mut body = request.take_body();
    let rest = async {
        let mut discarded = 0;
        while discarded <= MAX_DISCARDED
            && let Some(Ok(frame)) = body.next().await
        {
            discarded += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
    };
    let _cut_off = timeout(limit, rest).await;
}
