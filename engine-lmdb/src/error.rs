//! Every error of LMDB as the kind that tells its caller what to do.

use engine_api::embedded::failed_commit;
use engine_api::{Error, ErrorKind};
use heed::MdbError;

/// Converts an error of any of LMDB's operations; `message` says what was attempted.
#[cold]
pub(crate) fn convert(error: heed::Error, message: &'static str) -> Error {
    use heed::Error as Heed;
    let kind = match &error {
        Heed::Io(_) => ErrorKind::Io,
        Heed::EnvAlreadyOpened => ErrorKind::Locked,
        Heed::Encoding(_) | Heed::Decoding(_) => ErrorKind::Internal,
        Heed::Mdb(error) => kind_of(*error),
    };
    match error {
        Heed::Io(error) => Error::from_io(error, message),
        error => Error::new(kind, message).caused_by(error),
    }
}

const fn kind_of(error: MdbError) -> ErrorKind {
    match error {
        MdbError::MapFull => ErrorKind::Full,
        // Views hold the reader slots, and another process may have outgrown the map.
        MdbError::ReadersFull | MdbError::TlsFull | MdbError::MapResized => ErrorKind::Busy,
        MdbError::TxnFull | MdbError::BadValSize => ErrorKind::TooLarge,
        MdbError::VersionMismatch | MdbError::Incompatible => ErrorKind::Incompatible,
        // What isn't an LMDB file at all has been refused before LMDB sees it.
        MdbError::Invalid | MdbError::PageNotFound | MdbError::Corrupted | MdbError::CursorFull => {
            ErrorKind::Corrupt
        }
        // The header couldn't be written: LMDB refuses whatever comes after.
        MdbError::Panic => ErrorKind::Poisoned,
        _ => ErrorKind::Internal,
    }
}

/// Converts an error of a commit's last step: LMDB writes the data before the header that makes it count.
#[cold]
fn convert_commit(error: heed::Error, message: &'static str) -> Error {
    match error {
        heed::Error::Io(error) => failed_commit(error, message),
        error => convert(error, message),
    }
}

/// Why an attempt at a transaction has failed.
pub(crate) enum Failed {
    /// The data doesn't fit the map: it must grow, and then the same attempt may succeed.
    Outgrown,
    /// Something else.
    With(Error),
}

impl Failed {
    #[cold]
    pub(crate) fn at(error: heed::Error, message: &'static str) -> Self {
        match error {
            heed::Error::Mdb(MdbError::MapFull | MdbError::MapResized) => Self::Outgrown,
            error => Self::With(convert(error, message)),
        }
    }

    #[cold]
    pub(crate) fn at_commit(error: heed::Error, message: &'static str) -> Self {
        match error {
            heed::Error::Mdb(MdbError::MapFull | MdbError::MapResized) => Self::Outgrown,
            error => Self::With(convert_commit(error, message)),
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::With(error)
    }
}
