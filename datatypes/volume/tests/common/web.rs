//! A web server of a folder that can misbehave.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a client asks for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The path as it was sent.
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// How often this path was asked for before.
    pub(crate) before: u64,
}

/// What it is answered, byte by byte; the connection is closed behind an answer that says so.
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) close: bool,
}

impl Reply {
    pub(crate) fn new(status: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        Self { bytes: [head.as_bytes(), body].concat(), close: false }
    }

    /// Bytes behind which the connection is closed.
    pub(crate) fn cut(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), close: true }
    }

    pub(crate) fn ok(body: &[u8]) -> Self {
        Self::new("200 OK", "", body)
    }
}

type Answers = dyn Fn(&Asked) -> Option<Reply> + Send + Sync;

pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
}

impl Web {
    /// Serves a folder; `answers` may say otherwise.
    pub(crate) fn serve(
        folder: &Path,
        answers: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let web = Self { address, asked: Arc::default(), connections: Arc::default() };
        let (asked, connections) = (Arc::clone(&web.asked), Arc::clone(&web.connections));
        let seen: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
        let (folder, answers): (PathBuf, Arc<Answers>) = (folder.to_owned(), Arc::new(answers));
        thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::Relaxed);
                let (asked, seen) = (Arc::clone(&asked), Arc::clone(&seen));
                let (folder, answers) = (folder.clone(), Arc::clone(&answers));
                thread::spawn(move || {
                    let Ok(stream) = stream else { return };
                    let mut input = BufReader::new(stream.try_clone().unwrap());
                    while let Some(mut request) = next(&mut input) {
                        asked.fetch_add(1, Ordering::Relaxed);
                        let mut seen = seen.lock().unwrap();
                        let count = seen.entry(request.path.clone()).or_default();
                        request.before = *count;
                        *count += 1;
                        drop(seen);
                        let reply = answers(&request).unwrap_or_else(|| of_folder(&folder, &request));
                        if !send(&stream, &reply) {
                            return;
                        }
                    }
                });
            }
        });
        web
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Requests so far.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

fn send(mut stream: &TcpStream, reply: &Reply) -> bool {
    let sent = stream.write_all(&reply.bytes).is_ok();
    if reply.close {
        stream.shutdown(std::net::Shutdown::Both).ok();
    }
    sent && !reply.close
}

fn next(input: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    input.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    Some(Asked { path, headers, before: 0 })
}

/// The file of a folder that is asked for, or a part of it.
pub(crate) fn of_folder(folder: &Path, asked: &Asked) -> Reply {
    let Ok(file) = std::fs::read(folder.join(asked.path.trim_start_matches('/'))) else {
        return Reply::new("404 Not Found", "", b"there is no such file");
    };
    let range = asked.headers.get("range").map(|range| {
        let (first, last) = range.trim_start_matches("bytes=").split_once('-').unwrap();
        (first.parse::<usize>().unwrap(), last.parse::<usize>().unwrap())
    });
    match range {
        None => Reply::ok(&file),
        Some((first, _)) if first >= file.len() => Reply::new("416 Range Not Satisfiable", "", b""),
        Some((first, last)) => {
            let last = last.min(file.len() - 1);
            let said = format!("content-range: bytes {first}-{last}/{}\r\n", file.len());
            Reply::new("206 Partial Content", &said, &file[first..=last])
        }
    }
}
