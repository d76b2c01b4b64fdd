//! Every error of SQLite as the kind that tells its caller what to do.

use engine_api::{Error, ErrorKind};
use rusqlite::{ErrorCode, ffi};

/// Converts an error of any of SQLite's operations; `message` says what was attempted.
#[cold]
pub(crate) fn convert(error: rusqlite::Error, message: &'static str) -> Error {
    Error::new(kind_of(&error), message).caused_by(error)
}

/// Calls a store that is busy while it is opened locked.
#[cold]
pub(crate) fn lock_out(error: Error) -> Error {
    if error.kind() == ErrorKind::Busy {
        return Error::new(ErrorKind::Locked, "another process or handle has the store to itself")
            .caused_by(error);
    }
    error
}

/// Converts an error of a commit's last step, which may have reached the disk before it failed.
///
/// A disk that was full is the exception: the frame that makes a commit count is the last to be written.
#[cold]
pub(crate) fn convert_commit(error: rusqlite::Error, message: &'static str) -> Error {
    match kind_of(&error) {
        ErrorKind::Io => Error::new(ErrorKind::Ambiguous, message).caused_by(error),
        kind => Error::new(kind, message).caused_by(error),
    }
}

fn kind_of(error: &rusqlite::Error) -> ErrorKind {
    use rusqlite::Error as Sqlite;
    match error {
        // SQLite has no code of its own for a header that names a format to come.
        Sqlite::SqliteFailure(_, Some(message)) if message == "unsupported file format" => {
            ErrorKind::Incompatible
        }
        Sqlite::SqliteFailure(failure, _) => kind_of_failure(failure.code, failure.extended_code),
        // All statements are this crate's own: one that can't be prepared meets other tables than its own.
        Sqlite::SqlInputError { .. } => ErrorKind::Incompatible,
        Sqlite::InvalidColumnType(..)
        | Sqlite::FromSqlConversionFailure(..)
        | Sqlite::IntegralValueOutOfRange(..)
        | Sqlite::Utf8Error(..)
        | Sqlite::QueryReturnedNoRows => ErrorKind::Corrupt,
        Sqlite::InvalidPath(_) | Sqlite::NulError(_) => ErrorKind::InvalidConfig,
        Sqlite::SqliteSingleThreadedMode => ErrorKind::Unsupported,
        _ => ErrorKind::Internal,
    }
}

fn kind_of_failure(code: ErrorCode, extended: i32) -> ErrorKind {
    match (code, extended) {
        (ErrorCode::DatabaseBusy, ffi::SQLITE_BUSY_SNAPSHOT) => ErrorKind::Conflict,
        // The locking protocol gives up after many races with other processes.
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed, _) => {
            ErrorKind::Busy
        }
        (ErrorCode::DatabaseCorrupt, _)
        | (
            ErrorCode::SystemIoFailure,
            ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_IOERR_DATA | ffi::SQLITE_IOERR_SHORT_READ,
        ) => ErrorKind::Corrupt,
        (ErrorCode::CannotOpen, ffi::SQLITE_CANTOPEN_ISDIR)
        | (ErrorCode::NotADatabase | ErrorCode::SchemaChanged, _) => ErrorKind::Incompatible,
        (ErrorCode::DiskFull, _) => ErrorKind::Full,
        (ErrorCode::TooBig, _) => ErrorKind::TooLarge,
        // The file has lost its name: what is written to it nobody finds.
        (ErrorCode::ReadOnly, ffi::SQLITE_READONLY_DBMOVED) => ErrorKind::Poisoned,
        (
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied,
            _,
        ) => ErrorKind::ReadOnly,
        (ErrorCode::NoLargeFileSupport, _) => ErrorKind::Unsupported,
        (ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::OutOfMemory, _) => ErrorKind::Io,
        // InternalMalfunction, OperationAborted, OperationInterrupted, NotFound, ConstraintViolation,
        // TypeMismatch, ApiMisuse, ParameterOutOfRange and Unknown: nothing here should lead to them.
        _ => ErrorKind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: i32) -> ErrorKind {
        convert(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None), "it failed").kind()
    }

    #[test]
    fn every_result_code_has_the_kind_that_says_what_to_do() {
        for (code, expected) in [
            (ffi::SQLITE_ERROR, ErrorKind::Internal),
            (ffi::SQLITE_INTERNAL, ErrorKind::Internal),
            (ffi::SQLITE_PERM, ErrorKind::ReadOnly),
            (ffi::SQLITE_ABORT, ErrorKind::Internal),
            (ffi::SQLITE_BUSY, ErrorKind::Busy),
            (ffi::SQLITE_BUSY_RECOVERY, ErrorKind::Busy),
            (ffi::SQLITE_BUSY_SNAPSHOT, ErrorKind::Conflict),
            (ffi::SQLITE_BUSY_TIMEOUT, ErrorKind::Busy),
            (ffi::SQLITE_LOCKED, ErrorKind::Busy),
            (ffi::SQLITE_NOMEM, ErrorKind::Io),
            (ffi::SQLITE_READONLY, ErrorKind::ReadOnly),
            (ffi::SQLITE_READONLY_CANTINIT, ErrorKind::ReadOnly),
            (ffi::SQLITE_READONLY_DIRECTORY, ErrorKind::ReadOnly),
            (ffi::SQLITE_READONLY_DBMOVED, ErrorKind::Poisoned),
            (ffi::SQLITE_INTERRUPT, ErrorKind::Internal),
            (ffi::SQLITE_IOERR, ErrorKind::Io),
            (ffi::SQLITE_IOERR_FSYNC, ErrorKind::Io),
            (ffi::SQLITE_IOERR_NOMEM, ErrorKind::Io),
            (ffi::SQLITE_IOERR_SHORT_READ, ErrorKind::Corrupt),
            (ffi::SQLITE_IOERR_CORRUPTFS, ErrorKind::Corrupt),
            (ffi::SQLITE_CORRUPT, ErrorKind::Corrupt),
            (ffi::SQLITE_CORRUPT_INDEX, ErrorKind::Corrupt),
            (ffi::SQLITE_NOTFOUND, ErrorKind::Internal),
            (ffi::SQLITE_FULL, ErrorKind::Full),
            (ffi::SQLITE_CANTOPEN, ErrorKind::Io),
            (ffi::SQLITE_CANTOPEN_ISDIR, ErrorKind::Incompatible),
            (ffi::SQLITE_PROTOCOL, ErrorKind::Busy),
            (ffi::SQLITE_SCHEMA, ErrorKind::Incompatible),
            (ffi::SQLITE_TOOBIG, ErrorKind::TooLarge),
            (ffi::SQLITE_CONSTRAINT, ErrorKind::Internal),
            (ffi::SQLITE_MISMATCH, ErrorKind::Internal),
            (ffi::SQLITE_MISUSE, ErrorKind::Internal),
            (ffi::SQLITE_NOLFS, ErrorKind::Unsupported),
            (ffi::SQLITE_AUTH, ErrorKind::ReadOnly),
            (ffi::SQLITE_RANGE, ErrorKind::Internal),
            (ffi::SQLITE_NOTADB, ErrorKind::Incompatible),
        ] {
            assert_eq!(kind(code), expected, "{code}");
        }
    }

    #[test]
    fn a_commit_that_fails_on_the_disk_is_ambiguous_and_one_without_room_is_not() {
        let commit = |code| {
            convert_commit(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None), "it failed").kind()
        };
        assert_eq!(commit(ffi::SQLITE_IOERR_FSYNC), ErrorKind::Ambiguous);
        assert_eq!(commit(ffi::SQLITE_FULL), ErrorKind::Full);
        assert_eq!(commit(ffi::SQLITE_BUSY), ErrorKind::Busy);
    }
}
