//! What holds of every answer: who may read it, how long it may be kept, and what an error is.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use chunks::{DType, MultiscaleStore, write_region};
use common::{Fixture, Running, body, grid, header, noise, serve, text};

const COMMITTED: &str = "8d1f0c5e7a2b49669cb1aa64e6f60d11";
const OPEN: &str = "41cc90aa0d3f4b62a7f5a3c0ffee0001";

fn server() -> Running {
    let store = |seed| noise(grid(&[6, 7, 8], &[4, 4, 4], DType::U16, &[0; 3], "0"), &[vec![2, 2, 2]], seed);
    let name = "a b/ü:~%";
    serve(vec![
        Fixture::new("mri", false).version(OPEN, &["draft"], false, store(1)).version(
            COMMITTED,
            &["main", "v1"],
            true,
            store(2),
        ),
        Fixture::new(name, true).version(COMMITTED, &["main"], true, store(3)),
    ])
}

const CHUNK: &str = "s0/0-4_0-4_0-4";

#[test]
fn every_answer_may_be_read_by_any_page() {
    let server = server();
    for path in [
        "/",
        "/volumes",
        "/mri/main",
        "/mri/main/info",
        "/nothing",
        "/mri/main/s0/x",
        &format!("/mri/main/{CHUNK}"),
    ] {
        let response = server.request("GET", path, &[("Origin", "https://elsewhere.example")]);
        assert_eq!(header(&response, "access-control-allow-origin"), "*", "{path}");
    }
    let asked = [
        ("Origin", "https://elsewhere.example"),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "if-none-match, range"),
        ("Access-Control-Request-Private-Network", "true"),
    ];
    let response = server.request("OPTIONS", "/mri/main/info", &asked);
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "access-control-allow-origin"), "*");
    assert_eq!(header(&response, "access-control-allow-headers"), "*");
    assert_eq!(header(&response, "access-control-allow-private-network"), "true");
    assert!(header(&response, "access-control-allow-methods").contains("GET"));
}

#[test]
fn what_can_t_change_is_kept_and_what_can_is_asked_for_again() {
    let server = server();
    let cache = |path: &str| header(&server.get(path), "cache-control").to_owned();
    let pure = [CHUNK, "slice.png?axis=z&index=0&window=0,9", "value?z=0&y=0&x=0"];
    for path in pure {
        assert!(cache(&format!("/mri/{COMMITTED}/{path}")).contains("immutable"), "{path}");
        // A branch goes on, a tag is moved, and more versions may come to begin with the same digits.
        for version in ["main", "v1", &COMMITTED[..8], "draft", OPEN] {
            assert_eq!(cache(&format!("/mri/{version}/{path}")), "no-cache", "{version} {path}");
        }
    }
    // What is said of a volume may change, whatever its elements do.
    for path in ["info", "slice.png?axis=z&index=0", ""] {
        let path = format!("/mri/{COMMITTED}/{path}");
        assert_eq!(cache(path.trim_end_matches('/')), "no-cache", "{path}");
    }
    assert_eq!(cache("/volumes"), "no-cache");
    assert_eq!(cache("/mri/none/info"), "no-store");
}

#[test]
fn who_has_an_answer_isn_t_sent_it_again_until_it_changes() {
    let server = server();
    for path in [
        format!("/mri/{COMMITTED}/{CHUNK}"),
        format!("/mri/main/{CHUNK}"),
        format!("/mri/draft/{CHUNK}"),
        "/mri/draft/slice.png?axis=x&index=1".to_owned(),
        "/mri/main/info".to_owned(),
        "/volumes".to_owned(),
        "/".to_owned(),
    ] {
        let tag = header(&server.get(&path), "etag").to_owned();
        let mut again = server.request("GET", &path, &[("If-None-Match", &tag)]);
        assert_eq!(again.status(), 304, "{path}");
        assert_eq!(header(&again, "etag"), tag);
        assert!(body(&mut again).is_empty());
        assert_eq!(server.request("GET", &path, &[("If-None-Match", "\"other\"")]).status(), 200, "{path}");
    }
    let path = format!("/mri/draft/{CHUNK}");
    let tag = header(&server.get(&path), "etag").to_owned();
    let elsewhere = "0:1,0:1,4:5".parse().unwrap();
    let draft = std::sync::Arc::clone(&server.shelf.0.read().unwrap()[0].versions[0].1);
    write_region(draft.scale(0).unwrap(), &elsewhere, &[0xff, 0xfe]).unwrap();
    assert_eq!(server.request("GET", &path, &[("If-None-Match", &tag)]).status(), 304);
    write_region(draft.scale(0).unwrap(), &"1:2,1:2,1:2".parse().unwrap(), &[0xff, 0xfe]).unwrap();
    let mut changed = server.request("GET", &path, &[("If-None-Match", &tag)]);
    assert_eq!(changed.status(), 200);
    let at = ((4 + 1) * 4 + 1) * 2;
    assert_eq!(body(&mut changed)[at..at + 2], [0xff, 0xfe]);
}

#[test]
fn a_branch_that_moves_on_is_another_answer() {
    let server = server();
    let path = format!("/mri/main/{CHUNK}");
    let mut before = server.get(&path);
    let tag = header(&before, "etag").to_owned();
    {
        let mut shelf = server.shelf.0.write().unwrap();
        shelf[0].versions[1].0.names.clear();
        shelf[0].versions[0].0.names.push("main".to_owned());
        shelf[0].versions[0].0.committed = true;
    }
    let mut after = server.request("GET", &path, &[("If-None-Match", &tag)]);
    assert_eq!(after.status(), 200);
    assert_ne!(body(&mut after), body(&mut before));
}

#[test]
fn head_answers_as_get_without_the_body() {
    let server = server();
    for path in [format!("/mri/main/{CHUNK}"), "/volumes".to_owned(), "/mri/main/nothing/here".to_owned()] {
        let get = server.request("GET", &path, &[("Accept-Encoding", "identity")]);
        let mut head = server.request("HEAD", &path, &[("Accept-Encoding", "identity")]);
        assert_eq!(head.status(), get.status(), "{path}");
        for name in ["content-length", "content-type", "cache-control"] {
            assert_eq!(header(&head, name), header(&get, name), "{path}");
        }
        assert!(body(&mut head).is_empty());
    }
}

#[test]
fn answers_are_compressed_for_who_accepts_it() {
    let zeros = chunks::MemoryScales::new(
        chunks::Scales::single(grid(&[64, 64, 64], &[64, 64, 64], DType::U8, &[0; 3], "0")),
        chunks::Codec::default(),
    );
    let server = serve(vec![Fixture::new("zeros", false).version("v", &[], false, zeros)]);
    let path = "/zeros/v/s0/0-64_0-64_0-64";
    for (accepted, encoding) in
        [("gzip", "gzip"), ("gzip, deflate, br, zstd", "zstd"), ("zstd;q=0.5, gzip", "gzip")]
    {
        // By hand: the client that the other tests have undoes it.
        let mut stream = TcpStream::connect(&server.address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {accepted}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let head = String::from_utf8_lossy(&answer[..400.min(answer.len())]).to_ascii_lowercase();
        let said = format!("content-encoding: {encoding}");
        assert!(head.contains(&said) && head.contains("vary: "), "{accepted}: {head}");
        assert!(answer.len() < 20_000, "{} bytes", answer.len());
    }
    assert_eq!(server.bytes(path), vec![0; 64 * 64 * 64]);
    assert_eq!(
        header(&server.request("GET", path, &[("Accept-Encoding", "identity")]), "content-length"),
        "262144"
    );
}

#[test]
fn an_error_is_json_that_says_what_is_wrong() {
    let server = server();
    for (path, status, message) in [
        ("/mri", 404, "nothing under this URL"),
        ("/mri/main/what", 404, "nothing under this URL"),
        ("/none/main/info", 404, "no such volume"),
        ("/mri/none/info", 404, "no such version"),
        ("/mri/main/s7/0-4_0-4_0-4", 404, "no such scale"),
        ("/mri/main/s0/0-4_0-4_0-5", 404, "no such chunk"),
        ("/mri/main/s0/chunk", 400, "a chunk is named"),
        ("/mri/main/slice.png", 400, "lacks a parameter"),
        ("/mri/main/slice.png?axis=t&index=0", 400, "an axis is"),
        ("/mri/main/slice.png?axis=z&index=six", 400, "can't be understood"),
        ("/mri/main/slice.png?axis=z&index=6", 404, "no such slice"),
        ("/mri/main/slice.png?axis=z&index=-1", 404, "no such slice"),
        ("/mri/main/slice.png?axis=z&index=0&scale=2", 404, "no such scale"),
        ("/mri/main/slice.png?axis=z&index=0&scale=-1", 400, "can't be understood"),
        ("/mri/main/slice.png?axis=z&index=0&window=9,3", 400, "can't be understood"),
        ("/mri/main/value?z=0&y=0", 400, "lacks a parameter"),
        ("/mri/main/value?z=0&y=0&x=8", 404, "no such element"),
        ("/mri/main/value?z=0&y=0&x=9223372036854775807", 400, "too many elements"),
        ("/mri/%ff/info", 400, "URL can't be understood"),
        ("/panics/main/info", 500, "by a defect"),
    ] {
        let mut response = server.get(path);
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(header(&response, "content-type"), "application/json", "{path}");
        let error: serde_json::Value = serde_json::from_str(&text(&mut response)).unwrap();
        let said = error["error"]["message"].as_str().unwrap();
        assert!(said.contains(message), "{path}: {said}");
        assert!(error["error"]["kind"].is_string() && error["error"]["fields"].is_object());
    }
    for method in ["POST", "PUT", "DELETE"] {
        let mut response = server.request(method, "/mri/main/info", &[]);
        assert_eq!(response.status(), 405, "{method}");
        assert!(text(&mut response).contains("only reads"));
    }
    // It has survived all of that.
    assert_eq!(server.get("/mri/main/info").status(), 200);
}

#[test]
fn names_are_decoded_for_the_catalog() {
    let server = server();
    let listed = server.json("/volumes");
    assert_eq!(listed[1]["name"], "a b/ü:~%");
    assert_eq!(server.json("/a%20b%2F%C3%BC%3A~%25/main")["labels"], true);
    assert_eq!(server.json("/a%20b%2F%C3%BC:~%25/8d1f/info")["type"], "segmentation");
}

#[test]
fn versions_are_listed_as_the_catalog_has_them() {
    let listed = server().json("/volumes");
    let expected = serde_json::json!([
        { "version": OPEN, "names": ["draft"], "note": "made as draft", "committed": false },
        { "version": COMMITTED, "names": ["main", "v1"], "note": "made as main and v1", "committed": true },
    ]);
    assert_eq!(listed[0]["versions"], expected);
}

#[test]
fn versions_are_different_elements_under_different_urls() {
    let server = server();
    let main = server.bytes(&format!("/mri/main/{CHUNK}"));
    assert_eq!(server.bytes(&format!("/mri/{COMMITTED}/{CHUNK}")), main);
    assert_eq!(server.bytes(&format!("/mri/8d1f/{CHUNK}")), main);
    assert_ne!(server.bytes(&format!("/mri/draft/{CHUNK}")), main);
}

#[test]
fn the_page_asks_nothing_of_other_hosts() {
    let server = server();
    let mut response = server.get("/");
    assert!(header(&response, "content-type").starts_with("text/html"));
    let policy = header(&response, "content-security-policy").to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"), "{policy}");
    let page = text(&mut response);
    for part in ["src=\"http", "href=\"http", "@import", "url("] {
        assert!(!page.contains(part), "{part}");
    }
}

#[test]
fn many_clients_at_once_are_all_answered() {
    let server = server();
    let expected = server.bytes(&format!("/mri/main/{CHUNK}"));
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                for _ in 0..8 {
                    assert_eq!(server.bytes(&format!("/mri/main/{CHUNK}")), expected);
                }
            });
        }
    });
}

#[test]
fn a_client_that_says_nothing_doesn_t_keep_the_server_from_ending() {
    let server = server();
    let mut silent = TcpStream::connect(&server.address).unwrap();
    let mut half = TcpStream::connect(&server.address).unwrap();
    half.write_all(b"GET /volumes HTTP/1.1\r\nHost").unwrap();
    assert_eq!(server.get("/volumes").status(), 200);
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    silent.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(!matches!(silent.read(&mut [0; 16]), Ok(1..)), "an answer to no question");
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let server = server();
    let error = volume_server::Server::bind(&server.address, server.shelf.clone()).unwrap_err();
    assert_eq!(error.field("address"), Some(server.address.as_str()));
    let error = volume_server::Server::bind("nonsense", server.shelf.clone()).unwrap_err();
    assert_eq!(error.kind(), engine_api::ErrorKind::InvalidArgument);
}
