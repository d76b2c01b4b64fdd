//! Signatures of version 4, as they are checked.

use std::fmt::Write;

use hyper::http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{digest, hmac};

use crate::answer::{Answer, error};
use crate::request::Request;

/// What a signature leaves as it is.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The error to answer with, where a request isn't signed by this key.
pub(crate) fn refusal(request: &Request, key_id: &str, secret: &str) -> Option<Answer> {
    let refused = |code, message| Some(error(StatusCode::FORBIDDEN, code, message));
    let Some(fields) = request.header("authorization").strip_prefix("AWS4-HMAC-SHA256 ") else {
        return refused("AccessDenied", "Access Denied");
    };
    let field = |name: &str| {
        let mut fields = fields.split(',').map(str::trim);
        fields.find_map(|field| field.strip_prefix(name)).unwrap_or_default()
    };
    let (id, scope) = field("Credential=").split_once('/').unwrap_or_default();
    if id != key_id {
        return refused(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        );
    }
    let body = request.header("x-amz-content-sha256");
    if body != "UNSIGNED-PAYLOAD" && body != hex(digest::digest(&digest::SHA256, &request.body).as_ref()) {
        return Some(error(StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch", "The body is another one."));
    }
    if signature(request, field("SignedHeaders="), scope, secret) != field("Signature=") {
        return refused(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        );
    }
    None
}

fn signature(request: &Request, signed: &str, scope: &str, secret: &str) -> String {
    let mut pairs: Vec<(String, String)> =
        request.query.iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
    pairs.sort_unstable();
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, query.join("&"));
    for name in signed.split(';') {
        let value: Vec<&str> = request.header(name).split_whitespace().collect();
        let _ = writeln!(canonical, "{name}:{}", value.join(" "));
    }
    let _ = write!(canonical, "\n{signed}\n{}", request.header("x-amz-content-sha256"));
    let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let date = request.header("x-amz-date");
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}");
    // The key is made of the parts of the scope: the day, the region, the service and a word.
    let first = format!("AWS4{secret}").into_bytes();
    let key = scope.split('/').fold(first, |key, part| hmac_sha256(&key, part));
    hex(&hmac_sha256(&key, &to_sign))
}

fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, STRICT).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
