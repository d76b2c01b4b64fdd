//! The server, on a thread of its own.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::Incoming;
use hyper::http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::answer::error;
use crate::bucket::Bucket;
use crate::faults::{Conditions, Faults};
use crate::operation::perform;
use crate::request::{Asked, Request};
use crate::signature::refusal;

/// The id of the one key that is known.
pub const KEY_ID: &str = "AKIAEMULATED";
/// Its secret.
pub const SECRET: &str = "the-secret-of-the-emulator";
/// The region that clients are told; any other is taken too.
pub const REGION: &str = "us-east-1";

/// Names in a page of a listing, as on S3.
const PAGE: usize = 1000;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    buckets: HashMap<String, Bucket>,
    faults: Faults,
    page: usize,
    asked: Vec<Asked>,
}

impl Emulator {
    /// Starts a server without buckets, on a port that is free.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state =
            State { buckets: HashMap::new(), faults: Faults::default(), page: PAGE, asked: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("s3-emulator".into()).spawn(move || {
            runtime.spawn(serve(listener, served));
            // The sender is dropped with the emulator; what is served ends with the runtime.
            runtime.block_on(stopped).ok();
        })?;
        Ok(Self { address, state, stop: Some(stop), thread: Some(thread) })
    }

    /// Where the server is: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The variables that tell a program of this server, and of the key that it knows.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_ACCESS_KEY_ID", KEY_ID.into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
            ("AWS_REGION", REGION.into()),
        ]
    }

    /// Makes a bucket, or empties the one of this name.
    pub fn create_bucket(&self, name: &str) {
        self.lock().buckets.insert(name.to_owned(), Bucket::new());
    }

    /// Says what becomes of conditional puts from now on.
    pub fn set_conditions(&self, conditions: Conditions) {
        self.lock().faults.conditions = conditions;
    }

    /// Makes pages of listings at most so long.
    pub fn set_page(&self, names: usize) {
        self.lock().page = names.max(1);
    }

    /// Has the next so many requests answered with 503.
    pub fn fail_next(&self, requests: usize) {
        self.lock().faults.failures = requests;
    }

    /// Has the next so many conditional puts answered with 409, as S3 answers where two are under way at once.
    pub fn conflict_next(&self, puts: usize) {
        self.lock().faults.conflicts = puts;
    }

    /// Does the put behind so many others, and closes its connection without an answer.
    pub fn lose_put(&self, behind: usize) {
        self.lock().faults.lose_put = Some(behind);
    }

    /// What was asked since the last call of this.
    pub fn requests(&self) -> Vec<Asked> {
        std::mem::take(&mut self.lock().asked)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // That it has panicked was printed when it did.
            thread.join().ok();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(|request: hyper::Request<Incoming>| answer(request, &state));
            // A connection that ends early is the client's affair.
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers a request. An error is a connection that closes without an answer.
async fn answer(
    request: hyper::Request<Incoming>,
    state: &Mutex<State>,
) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let request = Request::new(parts, body);
    let state = &mut *lock(state);
    let State { buckets, faults, page, asked } = state;
    let answer = if faults.failures > 0 {
        faults.failures -= 1;
        error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.")
    } else if let Some(refusal) = refusal(&request, KEY_ID, SECRET) {
        refusal
    } else {
        perform(buckets, &request, faults, *page)
    };
    let answer = answer.map_err(io::Error::other)?;
    let lost = request.method == "PUT" && faults.lose_put == Some(0);
    if request.method == "PUT" {
        faults.lose_put = faults.lose_put.and_then(|puts| puts.checked_sub(1));
    }
    asked.push(Asked {
        conditional: request.condition().is_given(),
        status: if lost { 0 } else { answer.status().as_u16() },
        method: request.method,
        key: request.key,
    });
    if lost { Err(io::Error::other("the answer is lost")) } else { Ok(answer) }
}
