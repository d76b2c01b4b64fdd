//! What can go wrong, by what a caller can do about it.

use engine_api::ErrorKind;

use crate::DType;

/// The result of an operation on array files.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on an array file failed. After any of them what was committed is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no file of this name.
    #[error("there is no array file {path}")]
    FileNotFound {
        /// The path that was asked for.
        path: String,
    },
    /// There is a file of this name, or what is left of one.
    #[error("there is an array file {path} already")]
    FileAlreadyExists {
        /// The path that was asked for.
        path: String,
    },
    /// The path doesn't end in `.af`, or has no name before it.
    #[error("the path of an array file is NAME.af, unlike {path}")]
    InvalidPath {
        /// The path that was asked for.
        path: String,
    },
    /// There is no array of this name.
    #[error("there is no array {name}")]
    ArrayNotFound {
        /// The name that was asked for.
        name: String,
    },
    /// There is an array of this name.
    #[error("there is an array {name} already")]
    ArrayAlreadyExists {
        /// The name that was asked for.
        name: String,
    },
    /// There is no commit of this number, or no snapshot of this name; it may have been expired.
    #[error("there is no commit {commit}")]
    CommitNotFound {
        /// The number or the name.
        commit: String,
    },
    /// A region reaches beyond the array. Nothing was read or written.
    #[error("the region {start}..{end} is out of bounds on axis {axis}, which has {length} elements")]
    OutOfBounds {
        /// The axis, 0 the slowest.
        axis: usize,
        /// Where the region starts.
        start: u64,
        /// Where it ends.
        end: u64,
        /// The array's length along the axis.
        length: u64,
    },
    /// A start, shape or view has another number of axes than the array.
    #[error("the array has {expected} axes, not {actual}")]
    WrongRank {
        /// The array's.
        expected: usize,
        /// What was given.
        actual: usize,
    },
    /// Elements of one type were asked for where others are stored.
    #[error("the array holds {expected}, not {actual}")]
    DTypeMismatch {
        /// The array's.
        expected: DType,
        /// What was given.
        actual: DType,
    },
    /// A shape or a chunk shape that no array can have.
    #[error("the shape {shape:?} in chunks of {chunk_shape:?} isn't possible: {reason}")]
    InvalidShape {
        /// The array's shape.
        shape: Vec<u64>,
        /// The chunks' shape.
        chunk_shape: Vec<u64>,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A value that an element, an attribute or an option can't have.
    #[error("{what}: {value}")]
    InvalidValue {
        /// What is wrong.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// What was asked for is over a limit, or over what memory holds.
    #[error("{what} is too large: {size}, of at most {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Somebody else has committed since this file was opened, so nothing was committed. What was written is
    /// still pending: [`rebase`](crate::ArrayFile::rebase) and flush again.
    #[error("another writer has committed {newest} on top of {base}")]
    Conflict {
        /// The commit that this writer began from.
        base: u64,
        /// The newest commit.
        newest: u64,
    },
    /// The file was opened to be read, at a commit of the past.
    #[error("the file is open at a past commit, where nothing can be written")]
    ReadOnly,
    /// A layer that this commit names has been swept away; open the file again.
    #[error("the layer {path} was swept away since the file was opened; open it again")]
    LayerGone {
        /// The layer's path.
        path: String,
    },
    /// Stored bytes are damaged.
    #[error("{path} is damaged: {reason}")]
    Corrupt {
        /// The object.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Stored bytes are sound, and of a version that this library doesn't know.
    #[error("{path} is of format version {found}, of which this library knows 1")]
    Incompatible {
        /// The object.
        path: String,
        /// The version found.
        found: u32,
    },
    /// Chunks were compressed by a codec that isn't registered.
    #[error("the codec {id} isn't registered")]
    UnknownCodec {
        /// The codec's id.
        id: String,
    },
    /// A codec failed.
    #[error("the codec {id} failed: {reason}")]
    Codec {
        /// The codec's id.
        id: String,
        /// What it says.
        reason: String,
    },
    /// The store can't put an object only where no other is, or doesn't do so though it is asked to: two writers
    /// would overwrite each other's commits.
    #[error("{store} doesn't put objects only where no other is, which commits need: {reason}")]
    NoConditionalPut {
        /// The store.
        store: String,
        /// How that was found.
        reason: String,
    },
    /// The object store failed.
    #[error("the object store failed")]
    Storage(#[from] object_store::Error),
    /// A task on the thread pool ended before its work was done.
    #[error("a worker ended early: {0}")]
    Worker(String),
}

impl Error {
    pub(crate) fn corrupt(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.into(), reason: reason.into() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is often made for this")]
    pub(crate) fn invalid(what: &'static str, value: impl ToString) -> Self {
        Self::InvalidValue { what, value: value.to_string() }
    }

    /// The same failure, where reading found a path that the decoder didn't know.
    pub(crate) fn at(self, at: &str) -> Self {
        match self {
            Self::Corrupt { path, reason } if path.is_empty() => Self::Corrupt { path: at.into(), reason },
            Self::Incompatible { path, found } if path.is_empty() => {
                Self::Incompatible { path: at.into(), found }
            }
            other => other,
        }
    }

    /// What a caller of any store can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::FileNotFound { .. } | Self::ArrayNotFound { .. } | Self::CommitNotFound { .. } => {
                ErrorKind::NotFound
            }
            Self::FileAlreadyExists { .. } | Self::ArrayAlreadyExists { .. } => ErrorKind::AlreadyExists,
            Self::InvalidPath { .. }
            | Self::OutOfBounds { .. }
            | Self::WrongRank { .. }
            | Self::DTypeMismatch { .. }
            | Self::InvalidShape { .. }
            | Self::InvalidValue { .. } => ErrorKind::InvalidArgument,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::ReadOnly => ErrorKind::ReadOnly,
            Self::LayerGone { .. } => ErrorKind::SnapshotExpired,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Incompatible { .. } | Self::UnknownCodec { .. } => ErrorKind::Incompatible,
            Self::NoConditionalPut { .. } => ErrorKind::Unsupported,
            Self::Storage(object_store::Error::NotFound { .. }) => ErrorKind::NotFound,
            Self::Storage(_) => ErrorKind::Io,
            Self::Codec { .. } | Self::Worker(_) => ErrorKind::Internal,
        }
    }
}

impl From<Error> for engine_api::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), "an array file failed").caused_by(error)
    }
}
