//! Errors as clients get them.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine_api::{Error, ErrorKind};
use serde_json::{Map, Value, json};

/// An error as a response: its status, and JSON of its kind, message and facts.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    error: Error,
}

impl Failure {
    /// One whose status doesn't follow from the error's kind.
    pub(crate) fn new(status: StatusCode, error: Error) -> Self {
        Self { status, error }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { status: status(error.kind()), error }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let facts: Map<String, Value> =
            self.error.fields().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let body = json!({ "error": {
            "kind": self.error.kind().as_str(),
            "message": self.error.message(),
            "fields": facts,
        }});
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        (self.status, headers, body.to_string()).into_response()
    }
}

/// Whose fault it is, and whether it may pass.
fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidArgument | ErrorKind::TooLarge => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Busy | ErrorKind::Unavailable | ErrorKind::Locked => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
