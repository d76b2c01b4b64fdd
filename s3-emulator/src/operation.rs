//! What a request asks for, and doing it.

use std::collections::HashMap;
use std::fmt::Write;

use hyper::http::StatusCode;

use crate::answer::{
    Answer, conditional_conflict, empty, error, escaped, no_such_key, not_implemented, object,
    precondition_failed, xml,
};
use crate::bucket::{Bucket, Object};
use crate::faults::{Conditions, Faults};
use crate::list::list;
use crate::request::Request;

/// Operations that are told from those on objects by a word in the query, and that aren't here.
const OTHERS: [&str; 6] = ["uploads", "uploadId", "acl", "tagging", "versions", "versionId"];

pub(crate) fn perform(
    buckets: &mut HashMap<String, Bucket>,
    request: &Request,
    faults: &mut Faults,
    page: usize,
) -> Answer {
    let Some(bucket) = buckets.get_mut(&request.bucket) else {
        return error(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist");
    };
    if OTHERS.iter().any(|word| request.query.contains_key(*word)) {
        return not_implemented();
    }
    match (request.method.as_str(), request.key.as_str()) {
        ("GET", "") if request.query.get("list-type").is_some_and(|version| version == "2") => {
            list(bucket, request, page)
        }
        ("HEAD", "") => empty(StatusCode::OK),
        ("POST", "") if request.query.contains_key("delete") => delete_all(bucket, request),
        (_, "") => not_implemented(),
        ("PUT", _) => put(bucket, request, faults),
        ("GET" | "HEAD", key) => get(bucket.get(key), request),
        ("DELETE", key) => {
            bucket.remove(key);
            empty(StatusCode::NO_CONTENT)
        }
        _ => not_implemented(),
    }
}

fn put(bucket: &mut Bucket, request: &Request, faults: &mut Faults) -> Answer {
    if request.headers.contains_key("x-amz-copy-source") {
        return not_implemented();
    }
    let condition = request.condition();
    let there = bucket.get(&request.key);
    if condition.is_given() && faults.conflicts > 0 {
        faults.conflicts -= 1;
        return conditional_conflict();
    }
    match faults.conditions {
        Conditions::Refused if condition.is_given() => return not_implemented(),
        Conditions::Honoured if condition.if_match.is_some() && there.is_none() => return no_such_key(),
        Conditions::Honoured if !condition.matches(there) || !condition.is_other(there) => {
            return precondition_failed();
        }
        _ => {}
    }
    let object = Object::new(request.body.clone());
    let etag = object.etag.clone();
    bucket.insert(request.key.clone(), object);
    let mut answer = empty(StatusCode::OK)?;
    answer.headers_mut().insert("etag", etag.try_into()?);
    Ok(answer)
}

fn get(there: Option<&Object>, request: &Request) -> Answer {
    let condition = request.condition();
    match there {
        None => no_such_key(),
        Some(_) if !condition.matches(there) => precondition_failed(),
        Some(_) if !condition.is_other(there) => empty(StatusCode::NOT_MODIFIED),
        Some(there) => object(there, request.header("range")),
    }
}

fn delete_all(bucket: &mut Bucket, request: &Request) -> Answer {
    let malformed =
        || error(StatusCode::BAD_REQUEST, "MalformedXML", "The XML you provided was not well-formed.");
    let Ok(text) = std::str::from_utf8(&request.body) else { return malformed() };
    let Ok(document) = roxmltree::Document::parse(text) else { return malformed() };
    let mut body = String::from("<DeleteResult>");
    for key in document.descendants().filter(|node| node.tag_name().name() == "Key") {
        let key = key.text().unwrap_or_default();
        bucket.remove(key);
        let _ = write!(body, "<Deleted><Key>{}</Key></Deleted>", escaped(key));
    }
    body.push_str("</DeleteResult>");
    xml(StatusCode::OK, body)
}
