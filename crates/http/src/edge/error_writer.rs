//! Writes a handler's error as the response, with the request's id.

use salvo::{Depot, Request, Response, Writer, async_trait};

use crate::edge::context::RequestContext;
use crate::respond::{ApiError, Challenge, Surface};

#[async_trait]
impl Writer for ApiError {
    async fn write(self, request: &mut Request, depot: &mut Depot, response: &mut Response) {
        let request_id =
            RequestContext::of(depot).map_or("", |context| context.request_id.as_str());
        let challenge = request.extensions().get::<Challenge>();
        let error = match challenge {
            Some(challenge) => self.challenging(*challenge),
            None => self,
        };
        error
            .on(Surface::of(request.uri().path()))
            .render(request_id, response);
    }
}
