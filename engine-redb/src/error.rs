//! Every error of redb as the kind that tells its caller what to do.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use engine_api::{Error, ErrorKind, Result};

/// What is said of a panic.
pub(crate) const DAMAGED: &str = "the file is damaged";

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

/// Runs calls to redb, which panics where a damaged page leads it astray: the panic becomes an error.
///
/// A caller's own code mustn't run within, for its panics are its own.
pub(crate) fn contain<T>(message: &'static str, calls: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(calls)).unwrap_or_else(|panic| Err(panicked(message, &*panic)))
}

/// The same for calls that a caller's code runs between; while it does, it sets `callers` and its panics
/// pass. One catch around many calls costs a scan less than one around each.
pub(crate) fn contain_between<T>(
    message: &'static str,
    callers: &Cell<bool>,
    calls: impl FnOnce() -> Result<T>,
) -> Result<T> {
    catch_unwind(AssertUnwindSafe(calls)).unwrap_or_else(|panic| {
        if callers.get() {
            resume_unwind(panic);
        }
        Err(panicked(message, &*panic))
    })
}

#[cold]
fn panicked(message: &'static str, panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it doesn't say why");
    Error::new(ErrorKind::Corrupt, message).with("redb_panicked", text)
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

/// Converts an error of a commit's last step, which may have reached the disk before it failed.
///
/// A disk that was full is the exception: the data is written before the header that makes it count.
#[cold]
pub(crate) fn convert_commit(error: impl Into<redb::Error>, message: &'static str) -> Error {
    match error.into() {
        redb::Error::Io(error) if !is_full(&error) => {
            Error::new(ErrorKind::Ambiguous, message).caused_by(error)
        }
        error => convert(error, message),
    }
}

/// Converts an error of the operating system.
#[cold]
pub(crate) fn convert_io(error: io::Error, message: &'static str) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::new(ErrorKind::Corrupt, message).caused_by(error),
        // How redb says that a file isn't one of its own.
        io::ErrorKind::InvalidData => Error::new(ErrorKind::Incompatible, message).caused_by(error),
        _ => Error::from_io(error, message),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
