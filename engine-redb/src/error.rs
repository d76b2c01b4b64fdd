//! Every error of redb as the kind that tells its caller what to do.

use std::io;

use engine_api::embedded::failed_commit;
use engine_api::{Error, ErrorKind};

/// Converts an error of any of redb's operations; `message` says what was attempted.
#[cold]
pub(crate) fn convert(error: impl Into<redb::Error>, message: &'static str) -> Error {
    use redb::Error as Redb;
    let error = error.into();
    let kind = match error {
        Redb::Io(error) => return convert_io(error, message),
        Redb::DatabaseAlreadyOpen => ErrorKind::Locked,
        Redb::Corrupted(_) | Redb::RepairAborted => ErrorKind::Corrupt,
        Redb::UpgradeRequired(_)
        | Redb::TableTypeMismatch { .. }
        | Redb::TableIsMultimap(_)
        | Redb::TableIsNotMultimap(_)
        | Redb::TypeDefinitionChanged { .. }
        | Redb::TableDoesNotExist(_) => ErrorKind::Incompatible,
        Redb::ValueTooLarge(_) => ErrorKind::TooLarge,
        // A write that failed: redb refuses whatever comes after, for it can't tell what is on the disk.
        Redb::PreviousIo | Redb::LockPoisoned(_) => ErrorKind::Poisoned,
        Redb::DatabaseClosed => ErrorKind::Closed,
        Redb::TransactionInProgress
        | Redb::ReadTransactionStillInUse(_)
        | Redb::PersistentSavepointExists
        | Redb::EphemeralSavepointExists => ErrorKind::Busy,
        Redb::Unsupported => ErrorKind::Unsupported,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, message).caused_by(error)
}

/// Converts an error of opening a file.
#[cold]
pub(crate) fn convert_open(error: redb::DatabaseError) -> Error {
    let message = match error {
        redb::DatabaseError::RepairAborted => {
            "the store wasn't closed: repair it, or open it for writing with repair=auto"
        }
        _ => "the file can't be opened",
    };
    convert(error, message)
}

/// Converts an error of beginning a write.
///
/// After a commit has failed part way redb calls the state that it keeps in memory corrupted. What is on
/// the disk may well be sound, so the advice is to open the store anew.
#[cold]
pub(crate) fn convert_begin(error: impl Into<redb::Error>, message: &'static str) -> Error {
    match error.into() {
        error @ redb::Error::Corrupted(_) => Error::new(ErrorKind::Poisoned, message).caused_by(error),
        error => convert(error, message),
    }
}

/// Converts an error of a commit's last step: redb writes the data before the header that makes it count.
#[cold]
pub(crate) fn convert_commit(error: impl Into<redb::Error>, message: &'static str) -> Error {
    match error.into() {
        redb::Error::Io(error) => failed_commit(error, message),
        error => convert(error, message),
    }
}

/// Converts an error of the operating system, by which redb also says what it thinks of a file.
#[cold]
fn convert_io(error: io::Error, message: &'static str) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::new(ErrorKind::Corrupt, message).caused_by(error),
        // How redb says that a file isn't one of its own.
        io::ErrorKind::InvalidData => Error::new(ErrorKind::Incompatible, message).caused_by(error),
        _ => Error::from_io(error, message),
    }
}
