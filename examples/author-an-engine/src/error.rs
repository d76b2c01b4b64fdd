//! Every error of fjall as the kind that tells its caller what to do.

use std::error::Error as StdError;
use std::io;

use engine_api::{Error, ErrorKind};
use fjall::Error as Fjall;

/// Converts an error of any of fjall's operations; `message` says what was attempted.
#[cold]
pub(crate) fn convert(error: Fjall, message: &'static str) -> Error {
    let kind = match &error {
        Fjall::Locked => ErrorKind::Locked,
        Fjall::Poisoned => ErrorKind::Poisoned,
        Fjall::KeyspaceDeleted => ErrorKind::Closed,
        Fjall::InvalidVersion(_) => ErrorKind::Incompatible,
        Fjall::Io(_) | Fjall::Storage(_) => match os_kind(&error) {
            // The store is open: a file that isn't there or ends too soon is damage, and so is what isn't the
            // operating system's failure at all.
            None
            | Some(io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) => {
                ErrorKind::Corrupt
            }
            Some(kind) => return Error::from_io(io::Error::new(kind, error), message),
        },
        Fjall::JournalRecovery(_)
        | Fjall::Decompress(_)
        | Fjall::InvalidTrailer
        | Fjall::InvalidTag(_)
        | Fjall::Unrecoverable => ErrorKind::Corrupt,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, message).caused_by(error)
}

/// Converts an error of a commit. Some of it may be in the journal's buffer, and reach the disk yet.
#[cold]
pub(crate) fn convert_commit(error: Fjall, message: &'static str) -> Error {
    match error {
        Fjall::Poisoned => convert(error, message),
        error => Error::new(ErrorKind::Ambiguous, message).caused_by(error),
    }
}

/// The operating system's failure at the bottom of an error, if there is one.
fn os_kind(error: &Fjall) -> Option<io::ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}
