//! Why there is no answer.

use std::io;

use ureq::http::StatusCode;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A credential is not in the environment.
    #[error("`{0}` is not set; `charter serve --demo` writes a `demo.env` that sets it")]
    MissingCredential(&'static str),
    /// The server's address cannot be used.
    #[error(
        "`{0}` cannot be the base URL; give scheme, host and port only, such as \
         `https://charter.example.org`: a path there would not be part of what is signed"
    )]
    BaseUrl(String),
    /// The request cannot be signed.
    #[error("cannot sign this request: {0}")]
    Unsignable(#[from] signing::Malformed),
    /// What stands in the target cannot be sent as it is.
    #[error("`{0}` cannot be sent as it is written; percent-encode what is not plain ASCII")]
    Target(String),
    /// A `-H` is not a header, or is one that signing sets.
    #[error("`{0}` cannot be sent as a header: {1}")]
    Header(String, &'static str),
    /// The body cannot be read.
    #[error("cannot read the body from `{0}`: {1}")]
    Body(String, io::Error),
    /// A shell line cannot hold the body.
    #[error("the body is not text, so no shell line can hold it; save it and give `-d @FILE`")]
    UnprintableBody,
    /// No answer came.
    #[error(
        "no answer from `{url}`: {reason}; see that the server runs and that `CHARTER_BASE_URL` \
         names it"
    )]
    NoAnswer {
        /// Scheme, host and port.
        url: String,
        /// What the client saw.
        reason: String,
    },
    /// The request was answered, and standard output took no answer.
    #[error("the server answered {0}, but the answer cannot be written: {1}")]
    Unprinted(StatusCode, io::Error),
    /// The answer cannot be shown.
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
}
