//! Files of a volume on a web server.

use std::fmt;
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use engine_api::{Error, ErrorKind, Result};
use ureq::http::{HeaderMap, Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Timeout};

use super::files::{Files, Whole, ends_before, too_long};
use super::url::VolumeUrl;

/// How a server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOptions {
    /// How often a file is asked for, at most, when the connection breaks or stalls, or the server says that it can't answer
    /// now: 408, 429, 500, 502, 503 or 504.
    pub tries: u32,
    /// How long it waits before the second time; four times as long before each further one. A server that says for how
    /// long it is to be left alone is, for up to ten seconds.
    pub pause: Duration,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long a server may leave a connection without a byte.
    pub stall: Duration,
    /// How many chunks are asked for at once, at most; more than 16 never are.
    pub in_flight: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            tries: 4,
            pause: Duration::from_millis(200),
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            in_flight: 16,
        }
    }
}

/// No answer takes longer, however steadily it comes.
const LONGEST_ANSWER: Duration = Duration::from_mins(10);
/// No pause is longer, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Redirects in a row.
const MOST_REDIRECTS: u32 = 5;
/// The longest description of a volume that is read.
const MOST_INFO_BYTES: u64 = 16 << 20;
/// Of a server that sends whole files where parts were asked for, as much is read.
const MOST_READ_FOR_A_PART: u64 = 64 << 20;
/// The base-2 logarithm of the longest window that a server may compress with by zstd: eight megabytes (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;
/// Of an answer that isn't wanted as much is read, so that the connection can be used again.
const MOST_UNWANTED: u64 = 64 << 10;

/// A folder of a web server.
pub(super) struct WebFolder {
    url: VolumeUrl,
    agent: Agent,
    options: HttpOptions,
}

/// What is wanted of a file.
#[derive(Clone, Copy)]
enum Wanted {
    /// All, where it is no longer.
    Whole {
        most: u64,
    },
    Part {
        start: u64,
        bytes: u64,
    },
}

/// What a server answers.
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    /// What the server says of the state that it is of.
    pub(super) tag: String,
}

/// Why there is no answer, and whether it may be there the next time.
struct Failure {
    error: Error,
    again: bool,
    after: Option<Duration>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, again: false, after: None }
    }
}

impl WebFolder {
    pub(super) fn new(url: VolumeUrl, options: HttpOptions) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(url.is_encrypted())
            // What this machine trusts, as the clients of object stores do.
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .max_redirects(MOST_REDIRECTS)
            .max_redirects_will_error(true)
            .timeout_resolve(Some(options.connect))
            .timeout_connect(Some(options.connect))
            .timeout_per_read(Some(options.stall))
            .timeout_per_write(Some(options.stall))
            .timeout_recv_response(Some(options.stall))
            .timeout_global(Some(LONGEST_ANSWER))
            .max_idle_connections(options.in_flight)
            .max_idle_connections_per_host(options.in_flight)
            .user_agent(concat!("kvdag/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { url, agent: config.into(), options }
    }

    /// The volume's description.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Corrupt` when it is too long.
    pub(super) fn info(&self) -> Result<Answer> {
        match self.ask(super::INFO, Wanted::Whole { most: MOST_INFO_BYTES })? {
            Some(answer) => Ok(answer),
            None => Err(Error::new(ErrorKind::NotFound, "there is no precomputed volume: no file info")
                .with("url", &self.url.shown)),
        }
    }

    /// Asks until there is an answer, as often as it may.
    fn ask(&self, name: &str, wanted: Wanted) -> Result<Option<Answer>> {
        let url = self.url.file(name);
        let mut pause = self.options.pause;
        for left in (0..self.options.tries.max(1)).rev() {
            let failure = match self.ask_once(url.as_str(), wanted) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if left == 0 || !failure.again {
                return Err(failure.error.with("url", format_args!("{}/{name}", self.url.shown)));
            }
            thread::sleep(failure.after.unwrap_or(pause).min(LONGEST_PAUSE));
            pause = pause.saturating_mul(4);
        }
        Ok(None)
    }

    fn ask_once(&self, url: &str, wanted: Wanted) -> Result<Option<Answer>, Failure> {
        let request = self.agent.get(url);
        let request = match wanted {
            Wanted::Whole { .. } => request.header(header::ACCEPT_ENCODING, "zstd, gzip"),
            Wanted::Part { start, bytes } => {
                let last = start.saturating_add(bytes).saturating_sub(1);
                // Of what a server compresses on the way, no part can be told.
                request
                    .header(header::RANGE, format!("bytes={start}-{last}"))
                    .header(header::ACCEPT_ENCODING, "identity")
            }
        };
        let response = request.call().map_err(failed)?;
        let status = response.status().as_u16();
        match (status, wanted) {
            // Who may not list a bucket of S3 is told 403 of what isn't there. Neuroglancer takes it for that too.
            (403 | 404, _) => {
                discard(response);
                Ok(None)
            }
            (200 | 203, Wanted::Whole { most }) => whole(response, most).map(Some),
            (200 | 203, Wanted::Part { start, bytes }) => part_of_whole(response, start, bytes).map(Some),
            (206, Wanted::Part { start, bytes }) => part(response, start, bytes).map(Some),
            (416, Wanted::Part { start, bytes }) => Err(ends_before(start, bytes).into()),
            _ => {
                let again = matches!(status, 408 | 429 | 500 | 502 | 503 | 504);
                let after = response
                    .headers()
                    .get(header::RETRY_AFTER)
                    .and_then(|value| value.to_str().ok()?.parse().ok());
                discard(response);
                let error = Error::new(ErrorKind::Unavailable, "the server doesn't answer the file")
                    .with("status", status);
                Err(Failure { error, again, after: after.map(Duration::from_secs) })
            }
        }
    }
}

impl Files for WebFolder {
    fn whole(&self, name: &str, most: u64) -> Result<Option<Whole>> {
        let answer = self.ask(name, Wanted::Whole { most })?;
        Ok(answer.map(|answer| Whole { bytes: answer.bytes, compressed: false }))
    }

    fn part(&self, name: &str, start: u64, bytes: u64) -> Result<Option<Vec<u8>>> {
        Ok(self.ask(name, Wanted::Part { start, bytes })?.map(|answer| answer.bytes))
    }
}

impl fmt::Debug for WebFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebFolder").field("url", &self.url.shown).finish_non_exhaustive()
    }
}

fn whole(response: Response<Body>, most: u64) -> Result<Answer, Failure> {
    let tag = tag(response.headers());
    let bytes = read(body(response, most)?.take(most.saturating_add(1)))?;
    if wide(bytes.len()) > most {
        return Err(too_long(most).into());
    }
    Ok(Answer { bytes, tag })
}

fn part(response: Response<Body>, start: u64, bytes: u64) -> Result<Answer, Failure> {
    let wrong =
        || Error::new(ErrorKind::Corrupt, "the server has answered another part than the one asked for");
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|value| sent(value.to_str().ok()?));
    match range {
        Some((first, last)) if first == start && last.saturating_sub(start).saturating_add(1) == bytes => {}
        // The file ends there.
        Some((first, last)) if first == start && last.saturating_sub(start).saturating_add(1) < bytes => {
            return Err(ends_before(start, bytes).into());
        }
        _ => return Err(wrong().into()),
    }
    let tag = tag(response.headers());
    let found = read(body(response, bytes)?.take(bytes.saturating_add(1)))?;
    if wide(found.len()) != bytes {
        return Err(wrong().with("expected", bytes).with("found", found.len()).into());
    }
    Ok(Answer { bytes: found, tag })
}

/// A part, from a server that sends all of a file whatever it is asked for.
fn part_of_whole(response: Response<Body>, start: u64, bytes: u64) -> Result<Answer, Failure> {
    let tag = tag(response.headers());
    if start.saturating_add(bytes) > MOST_READ_FOR_A_PART {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the server doesn't answer parts of files, and this one is too long",
        )
        .with("start", start)
        .with("limit", MOST_READ_FOR_A_PART)
        .into());
    }
    let mut body = body(response, u64::MAX)?;
    let skipped =
        io::copy(&mut body.by_ref().take(start), &mut io::sink()).map_err(|error| failed(error.into()))?;
    let found = read(body.take(bytes))?;
    if skipped < start || wide(found.len()) < bytes {
        return Err(ends_before(start, bytes).into());
    }
    Ok(Answer { bytes: found, tag })
}

/// The body of an answer, decompressed where it was compressed on the way.
fn body(response: Response<Body>, most: u64) -> Result<Box<dyn Read>, Failure> {
    // That of gzip is gone when the body is decompressed.
    let encoding = match response.headers().get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding == "zstd" => return decompressed(response.into_body()),
        encoding => encoding.filter(|encoding| *encoding != "identity"),
    };
    if let Some(encoding) = encoding {
        let encoding = String::from_utf8_lossy(encoding.as_bytes()).escape_debug().to_string();
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the server compresses in a way that wasn't asked for",
        )
        .with("content-encoding", encoding)
        .into());
    }
    if response.body().content_length().is_some_and(|length| length > most) {
        return Err(too_long(most).into());
    }
    Ok(Box::new(response.into_body().into_reader()))
}

/// A body that zstd has compressed.
fn decompressed(body: Body) -> Result<Box<dyn Read>, Failure> {
    let unavailable = |error| Error::from_io(error, "there is no memory to decompress an answer");
    let mut decoder = zstd::Decoder::new(body.into_reader()).map_err(unavailable)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(unavailable)?;
    Ok(Box::new(Decompressed(decoder)))
}

/// Tells what zstd refuses from what the connection does.
struct Decompressed<R>(R);

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(|error| match error.get_ref() {
            Some(below) if below.is::<ureq::Error>() => error,
            _ if error.kind() == io::ErrorKind::Other => ureq::Error::Decompress("zstd", error).into_io(),
            _ => error,
        })
    }
}

fn read(mut body: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).map_err(|error| failed(error.into()))?;
    Ok(bytes)
}

fn discard(response: Response<Body>) {
    // Whatever comes of it, it isn't wanted.
    io::copy(&mut response.into_body().into_reader().take(MOST_UNWANTED), &mut io::sink()).ok();
}

/// The first and the last byte that `Content-Range: bytes 0-9/100` names.
fn sent(range: &str) -> Option<(u64, u64)> {
    let (first, last) = range.trim().strip_prefix("bytes ")?.split_once('/')?.0.split_once('-')?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

fn tag(headers: &HeaderMap) -> String {
    let said = headers.get(header::ETAG).or_else(|| headers.get(header::LAST_MODIFIED));
    said.map(|said| String::from_utf8_lossy(said.as_bytes()).into_owned()).unwrap_or_default()
}

/// What a failure of the client means. No text of it has the URL, which may hold a password.
fn failed(error: ureq::Error) -> Failure {
    use io::ErrorKind as Os;
    let unavailable = |message| Error::new(ErrorKind::Unavailable, message);
    let (error, again) = match error {
        ureq::Error::Decompress(_, error) => {
            let again = error.kind() == Os::UnexpectedEof;
            (
                Error::new(ErrorKind::Corrupt, "what the server has compressed is damaged").caused_by(error),
                again,
            )
        }
        ureq::Error::Timeout(timeout) => {
            (unavailable("the server takes too long").with("for", timeout), timeout != Timeout::Global)
        }
        ureq::Error::Io(error) => {
            let again = error.kind() != Os::ConnectionRefused;
            (unavailable("the connection to the server has failed").caused_by(error), again)
        }
        ureq::Error::Protocol(error) => {
            (unavailable("the server's answer can't be understood").caused_by(error), true)
        }
        ureq::Error::RequireHttpsOnly(_) => (unavailable("a redirect leads from https to http"), false),
        ureq::Error::TooManyRedirects => {
            (unavailable("the server redirects without an end").with("limit", MOST_REDIRECTS), false)
        }
        ureq::Error::BadUri(_) => (unavailable("the server redirects to what is no URL"), false),
        other => (unavailable("the server can't be asked").caused_by(other), false),
    };
    Failure { error, again, after: None }
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
