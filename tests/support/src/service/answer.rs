//! Assertions on responses.

use serde_json::{Map, Value};

use crate::client::Answer;

impl Answer {
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.assert_private();
        self.json()
    }

    /// The body of a 201, which must have a `location`.
    #[track_caller]
    pub fn created(&self) -> Value {
        assert_eq!(self.status, 201, "{self:?}");
        self.assert_private();
        assert!(self.header("location").is_some(), "{self:?}");
        self.json()
    }

    /// A 204 has no body.
    #[track_caller]
    pub fn no_content(&self) {
        assert_eq!((self.status, self.body.len()), (204, 0), "{self:?}");
        self.assert_private();
    }

    #[track_caller]
    fn assert_private(&self) {
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        assert!(self.header("x-request-id").is_some(), "{self:?}");
        assert_eq!(self.header("x-request-id"), self.header("x-correlation-id"));
    }

    /// The invalid fields of a 422.
    #[track_caller]
    pub fn broken(&self) -> Vec<String> {
        self.assert_refused(422, "VALIDATION_FAILED");
        let json = self.json();
        let details = json["error"]["details"].as_array().expect("details");
        let field = |detail: &Value| {
            let detail = detail.as_object().expect("a detail");
            assert_eq!(members(detail), ["field", "message"]);
            detail["field"].as_str().expect("a pointer").to_owned()
        };
        details.iter().map(field).collect()
    }

    /// The invalid fields of the portal's 400.
    #[track_caller]
    pub fn broken_on_portal(&self) -> Vec<String> {
        self.assert_refused(400, "VALIDATION_FAILED");
        let json = self.json();
        let details = json["error"]["details"].as_array().expect("details");
        let field = |detail: &Value| detail["field"].as_str().expect("a pointer").to_owned();
        details.iter().map(field).collect()
    }

    #[track_caller]
    pub fn etag(&self) -> String {
        self.header("etag").expect("an etag").to_owned()
    }

    /// Everything that a client sees except the request id and the date.
    pub fn without_request_id(&self) -> (u16, Vec<(String, String)>, String) {
        let id = self.header("x-request-id").expect("a request id");
        let headers = self
            .headers
            .iter()
            .filter(|(name, _)| !matches!(&**name, "x-request-id" | "x-correlation-id" | "date"));
        let body = String::from_utf8(self.body.clone()).expect("text");
        (
            self.status,
            headers.cloned().collect(),
            body.replace(id, "…"),
        )
    }
}

pub fn members(object: &Map<String, Value>) -> Vec<&str> {
    let mut names: Vec<_> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}
