//! Clients that stall are cut off, and those who wait get their place.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use chunks::DType;
use common::{Fixture, Running, grid, noise, serve_with};
use volume_server::Limits;

/// Longer than any test takes: whoever waits as long has waited in vain.
const EVER: Duration = Duration::from_mins(1);

const CHUNK: &str = "/mri/main/s0/0-64_0-64_0-64";

fn server(stall: Duration, connections: usize) -> Running {
    let store = noise(grid(&[64, 64, 64], &[64, 64, 64], DType::U16, &[0; 3], "0"), &[], 1);
    let fixture = Fixture::new("mri", false).version("8d1f0c5e", &["main"], true, store);
    serve_with(vec![fixture], Limits { stall, connections })
}

fn connect(server: &Running) -> TcpStream {
    let stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(EVER)).unwrap();
    stream
}

fn ask(stream: &mut TcpStream, path: &str) {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
}

/// Reads the head of an answer.
fn answered(stream: &mut TcpStream) -> bool {
    let mut head = [0; 15];
    stream.read_exact(&mut head).is_ok() && head == *b"HTTP/1.1 200 OK"
}

/// Whether the server has closed the connection without a word.
fn closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => rest.is_empty(),
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_request_that_is_never_whole_is_the_end_of_its_connection() {
    let server = server(Duration::from_millis(200), 8);
    for begun in ["", "G", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = connect(&server);
        stream.write_all(begun.as_bytes()).unwrap();
        assert!(closed(&mut stream), "{begun:?}");
    }
}

#[test]
fn a_request_that_comes_byte_by_byte_has_no_more_time_than_another() {
    let server = server(Duration::from_millis(500), 8);
    let mut stream = connect(&server);
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nX: ").unwrap();
    let began = Instant::now();
    let cut_off = loop {
        if began.elapsed() > EVER {
            break false;
        }
        if stream.write_all(b"x").is_err() {
            break true;
        }
        // This is what makes the client slow.
        match stream.read(&mut [0]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            outcome => break outcome.unwrap_or(0) == 0,
        }
    };
    assert!(cut_off);
}

#[test]
fn a_connection_that_is_not_used_again_is_closed() {
    let server = server(Duration::from_millis(200), 8);
    let mut stream = connect(&server);
    ask(&mut stream, "/volumes");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert!(all.starts_with(b"HTTP/1.1 200 OK") && all.ends_with(b"]"));
}

#[test]
fn who_takes_no_answer_gives_the_place_to_another() {
    let server = server(Duration::from_millis(200), 1);
    let mut stalled = connect(&server);
    // More than the system keeps for a client: 512 KiB each, and nothing is read.
    for _ in 0..64 {
        ask(&mut stalled, CHUNK);
    }
    let mut next = connect(&server);
    ask(&mut next, "/volumes");
    assert!(answered(&mut next));
}

#[test]
fn a_client_too_many_waits_until_one_has_gone() {
    let server = server(EVER, 1);
    let mut first = connect(&server);
    ask(&mut first, "/volumes");
    assert!(answered(&mut first));
    let mut second = connect(&server);
    ask(&mut second, "/volumes");
    let mut third = connect(&server);
    ask(&mut third, "/volumes");
    // The first still has the only place, so nobody reads what the others ask.
    ask(&mut first, "/volumes");
    for waiting in [&mut second, &mut third] {
        waiting.set_nonblocking(true).unwrap();
        assert_eq!(waiting.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        waiting.set_nonblocking(false).unwrap();
    }
    drop(first);
    assert!(answered(&mut second));
    drop(second);
    assert!(answered(&mut third));
}
