//! What a server's errors mean to somebody at a terminal.
//!
//! A server may answer an error with all that it was asked, a session's token among it, so its words are told by
//! the code and the message that it gives, and not whole.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use engine_api::{Error, ErrorKind};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// The name under which errors are passed through array files.
const SERVER: &str = "server";

/// An error that a server has told, where that is at the bottom.
pub(in crate::cli::array) fn of_server(error: array_file::Error) -> Result<Error, array_file::Error> {
    let array_file::Error::Storage(StoreError::Generic { store: SERVER, source }) = error else {
        return Err(error);
    };
    match source.downcast::<Error>() {
        Ok(told) => Ok(*told),
        Err(source) => Err(StoreError::Generic { store: SERVER, source }.into()),
    }
}

/// Who tells of errors.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    bucket: Arc<str>,
    keyless: bool,
}

impl Teller {
    pub(super) fn new(bucket: &str, keyless: bool) -> Self {
        Self { bucket: bucket.into(), keyless }
    }

    /// The same error where array files go by it; otherwise what can be done about it.
    fn tell(&self, error: StoreError) -> StoreError {
        let text = chain(&error);
        let code = between(&text, "<Code>", "</Code>");
        let (kind, message) = match &error {
            StoreError::AlreadyExists { .. }
            | StoreError::Precondition { .. }
            | StoreError::NotModified { .. }
            | StoreError::NotImplemented { .. } => return error,
            StoreError::NotFound { .. } if !matches!(code, Some("NoSuchBucket" | "ContainerNotFound")) => {
                return error;
            }
            // A listing's errors have no variant of their own, so the server's words decide.
            _ => self.meaning(&error, code, &text),
        };
        let mut told = Error::new(kind, message).with("bucket", &self.bucket);
        match (code, between(&text, "<Message>", "</Message>")) {
            (Some(code), Some(message)) => told = told.with("code", code).with("message", message),
            (Some(code), None) => told = told.with("code", code),
            (None, _) => told = told.with("reason", root(&error)),
        }
        StoreError::Generic { store: SERVER, source: Box::new(told) }
    }

    fn meaning(&self, error: &StoreError, code: Option<&str>, text: &str) -> (ErrorKind, &'static str) {
        match code {
            Some("NoSuchBucket" | "ContainerNotFound") => {
                return (
                    ErrorKind::NotFound,
                    "there is no such bucket; make it first, or set AWS_ENDPOINT_URL to the server that has it",
                );
            }
            Some("AccessDenied") => {
                return (
                    ErrorKind::InvalidConfig,
                    "the server doesn't let these credentials do this; set others, or have them allowed",
                );
            }
            _ if text.contains("status code: 401") || text.contains("status code: 403") => {
                return (
                    ErrorKind::InvalidConfig,
                    "the server doesn't take the credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                );
            }
            _ => {}
        }
        if text.contains("URL scheme is not allowed") {
            return (
                ErrorKind::InvalidConfig,
                "the endpoint is without TLS; set AWS_ALLOW_HTTP=true to go there",
            );
        }
        if self.keyless {
            return (
                ErrorKind::InvalidConfig,
                "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true \
                 where the bucket is public",
            );
        }
        if text.contains("redirect") {
            return (ErrorKind::InvalidConfig, "the bucket is in another region; set AWS_REGION");
        }
        if text.contains("status code: 501") {
            return (
                ErrorKind::Unsupported,
                "the server doesn't do what array files need, as conditional puts",
            );
        }
        if text.contains("status code: 5") || text.contains("status code: 429") {
            return (ErrorKind::Unavailable, "the server is busy or failing; try again later");
        }
        match http_kind(error) {
            Some(HttpErrorKind::Connect | HttpErrorKind::Request | HttpErrorKind::Timeout) => (
                ErrorKind::Unavailable,
                "the server can't be reached; see to the network and AWS_ENDPOINT_URL",
            ),
            Some(HttpErrorKind::Interrupted) => {
                (ErrorKind::Unavailable, "the server closed the connection; try again later")
            }
            _ => (ErrorKind::Io, "the server's answer isn't one that was expected"),
        }
    }
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| StdError::source(*error))
}

fn chain(error: &StoreError) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The last cause, as far as it is no answer of the server's.
fn root(error: &StoreError) -> String {
    let root = causes(error).last().map(ToString::to_string).unwrap_or_default();
    root.split('<').next().unwrap_or_default().trim_end_matches([':', ' ']).to_owned()
}

fn http_kind(error: &StoreError) -> Option<HttpErrorKind> {
    causes(error).find_map(|cause| cause.downcast_ref::<HttpError>()).map(HttpError::kind)
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    text.split_once(from)?.1.split_once(to).map(|(between, _)| between)
}

/// An object store whose errors are told.
#[derive(Debug)]
pub(super) struct Told {
    inner: Arc<dyn ObjectStore>,
    teller: Teller,
}

impl Told {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, teller: Teller) -> Self {
        Self { inner, teller }
    }

    fn told<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.teller.tell(error))
    }

    fn stream<T>(&self, stream: BoxStream<'static, Result<T>>) -> BoxStream<'static, Result<T>>
    where
        T: Send + 'static,
    {
        let teller = self.teller.clone();
        stream.map_err(move |error| teller.tell(error)).boxed()
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Told {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.told(self.inner.put_opts(path, payload, options).await)
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.told(self.inner.put_multipart_opts(path, options).await)
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let mut found = self.told(self.inner.get_opts(path, options).await)?;
        found.payload = match found.payload {
            GetResultPayload::Stream(stream) => GetResultPayload::Stream(self.stream(stream)),
            file @ GetResultPayload::File(..) => file,
        };
        Ok(found)
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        self.told(self.inner.get_ranges(path, ranges).await)
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.stream(self.inner.delete_stream(paths))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.stream(self.inner.list(prefix))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.told(self.inner.list_with_delimiter(prefix).await)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.told(self.inner.copy_opts(from, to, options).await)
    }
}
