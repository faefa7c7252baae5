//! `POST /policies/diff` and `POST /policies/replay`: what a sent folder would change. The response is a stream of
//! server-sent events (HTML Living Standard section 9.2): `progress` each half second, then `result` or `error`. The
//! job ends when the client disconnects.

use std::convert::Infallible;

use charter_macros::boxed;
use futures_util::{Stream, stream};
use salvo::http::header::{CONTENT_TYPE, HeaderValue};
use salvo::{Depot, Request, Response, handler};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::Receiver;

use super::admission::OperatorRequest;
use super::asked_domain::AskedDomain;
use super::refusals;
use super::sent_folder::{SentFolder, read_body, refused};
use crate::extract::fields::{Fields, present};
use crate::respond::{ApiError, Detail, Surface};
use crate::state::{JobEvent, PolicyJob, SharedState};

/// Compares the folder with the policies in force.
#[handler]
#[boxed]
pub(super) async fn diff(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
) -> Result<(), ApiError> {
    let asked = OperatorRequest::of(request, depot)?;
    let (domain, sent) = read(request, &asked).await?;
    let job = PolicyJob::Diff {
        domain: domain.name,
        in_force: (*domain.files).clone(),
        candidate: sent.files,
    };
    answer(&asked, job, sent.member, response).await
}

/// Finds the logged decisions that the folder would change.
#[handler]
#[boxed]
pub(super) async fn replay(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
) -> Result<(), ApiError> {
    let asked = OperatorRequest::of(request, depot)?;
    let (domain, sent) = read(request, &asked).await?;
    let job = PolicyJob::Replay {
        domain: domain.name,
        candidate: sent.files,
    };
    answer(&asked, job, sent.member, response).await
}

async fn read(
    request: &mut Request,
    asked: &OperatorRequest,
) -> Result<(AskedDomain, SentFolder), ApiError> {
    let mut fields = Fields::new(read_body(request, asked).await?);
    let domain = fields.optional::<String>("domain");
    let folder = fields.optional::<Map<String, Value>>("folder");
    let changes = fields.optional::<Map<String, Value>>("changes");
    fields.finish().map_err(|error| error.on(Surface::Portal))?;
    let domain = AskedDomain::find(present(domain)?, &asked.state)?;
    let is_own = domain.name.is_some();
    let sent = SentFolder::of(present(folder)?, present(changes)?, &domain.files, is_own)?;
    let rule = "send the files of a folder, or `changes` of the one in force";
    let sent = sent.ok_or_else(|| refused(vec![Detail::new("/folder", rule)]))?;
    Ok((domain, sent))
}

/// Waits until the folder is loaded, since its faults are a plain error response; then streams.
async fn answer(
    asked: &OperatorRequest,
    job: PolicyJob,
    member: &str,
    response: &mut Response,
) -> Result<(), ApiError> {
    let state = asked.state.clone();
    let mut events = state.workbench.tools.start(job)?;
    loop {
        match events.recv().await {
            Some(JobEvent::Accepted) => break,
            Some(JobEvent::Progress { .. }) => {}
            Some(JobEvent::Refused(faults)) => return Err(refusals::of_faults(&faults, member)),
            Some(JobEvent::Failed(reason)) => return Err(refusals::unfinished(member, &reason)),
            Some(JobEvent::Done(_)) | None => {
                return Err(ApiError::internal("the work on policies did not begin"));
            }
        }
    }
    let request_id = asked.context.request_id.as_str().to_owned();
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    response.stream(event_stream(events, state, request_id));
    Ok(())
}

/// The events as text, until the last one or the service stops.
fn event_stream(
    events: Receiver<JobEvent>,
    state: SharedState,
    request_id: String,
) -> impl Stream<Item = Result<Vec<u8>, Infallible>> + Send {
    stream::unfold(Some(events), move |events| {
        let (state, request_id) = (state.clone(), request_id.clone());
        async move {
            let mut events = events?;
            let failed = |error: ApiError| text("error", &error.to_json(&request_id));
            let (told, is_last) = tokio::select! {
                event = events.recv() => match event {
                    Some(JobEvent::Accepted) => (progress(0, 0), false),
                    Some(JobEvent::Progress { done, known }) => (progress(done, known), false),
                    Some(JobEvent::Done(result)) => {
                        (text("result", result.to_string().as_bytes()), true)
                    }
                    Some(JobEvent::Refused(faults)) => {
                        (failed(refusals::of_faults(&faults, "folder")), true)
                    }
                    Some(JobEvent::Failed(reason)) => {
                        (failed(refusals::unfinished("folder", &reason)), true)
                    }
                    None => (failed(ApiError::internal("the work ended without a result")), true),
                },
                () = state.stopping.cancelled() => {
                    (failed(ApiError::unavailable("the service is stopping", 1)), true)
                }
            };
            Some((Ok(told), (!is_last).then_some(events)))
        }
    })
}

fn progress(done: u64, known: u64) -> Vec<u8> {
    let data = json!({"done": done, "known": known});
    text("progress", data.to_string().as_bytes())
}

/// Compact JSON contains no line feed.
fn text(event: &str, data: &[u8]) -> Vec<u8> {
    let mut text = format!("event: {event}\ndata: ").into_bytes();
    text.extend_from_slice(data);
    text.extend_from_slice(b"\n\n");
    text
}
