//! The workbench of the security team, on the operations listener, with the operator token or a session (contract
//! section 6). It is read-only: policies are edited in the folder.

mod access;
mod access_body;
mod admission;
mod answer;
mod asked_domain;
mod candidates;
mod coverage;
mod custom_access;
mod custom_evaluation;
mod custom_question;
mod decisions;
mod evaluation;
mod folder_content;
mod jobs;
mod listed_domains;
mod named;
mod paging;
mod policies;
mod refusals;
mod replicas;
mod revisions;
mod sent_folder;
mod session;
mod work;

use salvo::Router;

use crate::methods::Reads as _;

pub(crate) fn router() -> Router {
    Router::new()
        .push(
            Router::with_path("session")
                .post(session::open)
                .delete(session::close),
        )
        .push(Router::with_path("policies").reads(policies::show))
        .push(Router::with_path("policies/revisions").reads(revisions::list))
        .push(Router::with_path("policies/revisions/{digest}").reads(revisions::show))
        .push(Router::with_path("policies/evaluation").post(evaluation::evaluate))
        .push(Router::with_path("policies/access").post(access::list))
        .push(Router::with_path("policies/coverage").reads(coverage::show))
        .push(Router::with_path("policies/diff").post(jobs::diff))
        .push(Router::with_path("policies/replay").post(jobs::replay))
        .push(Router::with_path("replicas").reads(replicas::list))
        .push(Router::with_path("decisions").reads(decisions::list))
        .push(Router::with_path("decisions/{id}").reads(decisions::show))
}
