//! Every error of sled as the kind that tells its caller what to do.

use std::io;

use engine_api::{Error, ErrorKind};

/// Converts an error of any of sled's operations; `message` says what was attempted.
#[cold]
pub(crate) fn convert(error: sled::Error, message: &'static str) -> Error {
    use sled::Error as Sled;
    let kind = match error {
        // The log is open for as long as the store is: what isn't found is a value in a file of its own.
        Sled::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            return Error::new(ErrorKind::Corrupt, message).caused_by(error);
        }
        Sled::Io(error) => return convert_io(error, message),
        Sled::Corruption { .. } => ErrorKind::Corrupt,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, message).caused_by(error)
}

/// Converts an error of opening a store.
#[cold]
pub(crate) fn convert_open(error: sled::Error) -> Error {
    match error {
        // What the store says of itself doesn't fit this version of sled, or how it is configured here.
        error @ sled::Error::Unsupported(_) => {
            Error::new(ErrorKind::Incompatible, "the store is of another version of sled, or compressed")
                .caused_by(error)
        }
        error => convert(error, "the store can't be opened"),
    }
}

/// Converts an error of a commit, part of which may have reached the log before it failed.
#[cold]
pub(crate) fn convert_commit(error: sled::Error, message: &'static str) -> Error {
    match error {
        sled::Error::Io(error) if error.kind() != io::ErrorKind::NotFound => {
            Error::new(ErrorKind::Ambiguous, message).caused_by(error)
        }
        error => convert(error, message),
    }
}

/// Converts an error of the operating system.
#[cold]
pub(crate) fn convert_io(error: io::Error, message: &'static str) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
            Error::new(ErrorKind::Corrupt, message).caused_by(error)
        }
        _ => Error::from_io(error, message),
    }
}
