//! Listings, in pages.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Bound;

use hyper::http::StatusCode;

use crate::answer::{Answer, escaped, xml};
use crate::bucket::{Bucket, Object};
use crate::request::Request;

pub(crate) fn list(bucket: &Bucket, request: &Request, page: usize) -> Answer {
    let given = |name: &str| request.query.get(name).map(String::as_str);
    let prefix = given("prefix").unwrap_or_default();
    let delimiter = given("delimiter").filter(|delimiter| !delimiter.is_empty());
    let room = given("max-keys").and_then(|keys| keys.parse().ok()).unwrap_or(page).min(page);
    // A token is the last name that the page before it got to.
    let after = given("continuation-token").or_else(|| given("start-after")).unwrap_or_default();
    let mut objects: Vec<(&String, &Object)> = Vec::new();
    let mut folders: BTreeSet<&str> = BTreeSet::new();
    let mut last = None;
    let mut cut = false;
    for (key, object) in bucket.range::<str, _>((Bound::Excluded(after), Bound::Unbounded)) {
        let Some(rest) = key.strip_prefix(prefix) else { continue };
        let folder = delimiter.and_then(|delimiter| {
            let end = rest.find(delimiter)? + delimiter.len();
            key.get(..prefix.len() + end)
        });
        // Of a folder that the page before has listed, the other objects are left.
        if folder.is_some_and(|folder| folders.contains(folder) || after.starts_with(folder)) {
            last = Some(key);
            continue;
        }
        if objects.len() + folders.len() == room {
            cut = true;
            break;
        }
        match folder {
            Some(folder) => drop(folders.insert(folder)),
            None => objects.push((key, object)),
        }
        last = Some(key);
    }
    let mut body = format!("<ListBucketResult><IsTruncated>{cut}</IsTruncated>");
    if let Some(last) = last.filter(|_| cut) {
        let _ = write!(body, "<NextContinuationToken>{}</NextContinuationToken>", escaped(last));
    }
    for (key, Object { bytes, etag, modified }) in objects {
        let _ = write!(
            body,
            "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
            escaped(key),
            modified.format("%Y-%m-%dT%H:%M:%S.000Z"),
            escaped(etag),
            bytes.len(),
        );
    }
    for folder in folders {
        let _ = write!(body, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escaped(folder));
    }
    body.push_str("</ListBucketResult>");
    xml(StatusCode::OK, body)
}
