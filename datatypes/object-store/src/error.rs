//! Errors as the callers of an object store know them.

use engine_api::{Error, ErrorKind};

/// What errors name as the store.
pub(crate) const STORE: &str = "kvdag";

/// The error of an operation on the object at `path`. What no kind of `object_store` says is `Generic`, with the
/// engine's error as its source, whose kind says what a caller can do.
#[cold]
pub(crate) fn failed(path: &str, error: Error) -> object_store::Error {
    let (path, kind) = (path.to_owned(), error.kind());
    let source = Box::new(error);
    match kind {
        ErrorKind::ReadOnly => object_store::Error::PermissionDenied { path, source },
        ErrorKind::Unsupported => object_store::Error::NotSupported { source },
        _ => object_store::Error::Generic { store: STORE, source },
    }
}

#[cold]
pub(crate) fn not_found(path: &str) -> object_store::Error {
    let source = Error::new(ErrorKind::NotFound, "there is no such object");
    object_store::Error::NotFound { path: path.to_owned(), source: source.into() }
}

#[cold]
pub(crate) fn already_exists(path: &str) -> object_store::Error {
    let source = Error::new(ErrorKind::AlreadyExists, "there is an object of this path");
    object_store::Error::AlreadyExists { path: path.to_owned(), source: source.into() }
}

#[cold]
pub(crate) fn precondition(path: &str, message: &'static str) -> object_store::Error {
    let source = Error::new(ErrorKind::Conflict, message);
    object_store::Error::Precondition { path: path.to_owned(), source: source.into() }
}

/// An error that isn't of one object.
#[cold]
pub(crate) fn generic(error: Error) -> object_store::Error {
    failed("", error)
}

/// Engine results as results of an operation on one object.
pub(crate) trait OfObject<T> {
    fn of(self, path: &str) -> object_store::Result<T>;
}

impl<T> OfObject<T> for engine_api::Result<T> {
    fn of(self, path: &str) -> object_store::Result<T> {
        self.map_err(|error| failed(path, error))
    }
}
