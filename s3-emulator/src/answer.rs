//! Answers, and errors in the form that S3 gives them.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::Full;
use hyper::Response;
use hyper::http::{Error, StatusCode};

use crate::bucket::Object;

pub(crate) type Answer = Result<Response<Full<Bytes>>, Error>;

/// An answer without anything in it.
pub(crate) fn empty(status: StatusCode) -> Answer {
    Response::builder().status(status).body(Full::default())
}

pub(crate) fn xml(status: StatusCode, body: String) -> Answer {
    Response::builder().status(status).header("content-type", "application/xml").body(Full::from(body))
}

/// An error, with the code that S3 has for it.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    xml(status, format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
}

pub(crate) fn no_such_key() -> Answer {
    error(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
}

pub(crate) fn not_implemented() -> Answer {
    error(StatusCode::NOT_IMPLEMENTED, "NotImplemented", "A header or an operation is not implemented.")
}

pub(crate) fn precondition_failed() -> Answer {
    error(
        StatusCode::PRECONDITION_FAILED,
        "PreconditionFailed",
        "At least one of the conditions did not hold.",
    )
}

pub(crate) fn conditional_conflict() -> Answer {
    error(StatusCode::CONFLICT, "ConditionalRequestConflict", "A conflicting operation is under way.")
}

/// An object, or where `range` is given a part of it.
pub(crate) fn object(object: &Object, range: &str) -> Answer {
    let length = object.bytes.len();
    let answer = Response::builder()
        .header("etag", &object.etag)
        .header("last-modified", http_date(object.modified))
        .header("accept-ranges", "bytes");
    if range.is_empty() {
        return answer.body(Full::new(object.bytes.clone()));
    }
    let Some((from, to)) = parse_range(range, length) else {
        return error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", "The range is not satisfiable.");
    };
    answer
        .status(StatusCode::PARTIAL_CONTENT)
        .header("content-range", format!("bytes {from}-{}/{length}", to - 1))
        .body(Full::new(object.bytes.slice(from..to)))
}

/// The bytes that a header asks for, its end left out; nothing where there are none.
fn parse_range(range: &str, length: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (from, to) {
        ("", last) => (length.saturating_sub(last.parse().ok()?), length),
        (from, "") => (from.parse().ok()?, length),
        (from, to) => (from.parse().ok()?, to.parse::<usize>().ok()?.saturating_add(1).min(length)),
    };
    (from < to).then_some((from, to))
}

fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_at_the_end_and_refused_beyond_it() {
        for (range, expected) in [
            ("bytes=0-3", Some((0, 4))),
            ("bytes=8-30", Some((8, 10))),
            ("bytes=4-", Some((4, 10))),
            ("bytes=-3", Some((7, 10))),
            ("bytes=-30", Some((0, 10))),
            ("bytes=10-", None),
            ("bytes=5-4", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(parse_range(range, 10), expected, "{range}");
        }
    }
}
