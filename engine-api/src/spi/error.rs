//! One error type for every engine: one machine word, a prescriptive kind, and the facts behind it.

use std::error::Error as StdError;
use std::fmt;

/// The result of every fallible operation of this crate; `Result<()>` is one machine word.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and by that what the caller can do about it.
///
/// A key that is absent is no error: reads answer `Ok(None)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A requirement of a batch didn't hold, or versions conflict; nothing was changed.
    Conflict,
    /// The engine can't take the operation now; the same call may succeed a moment later.
    Busy,
    /// The engine can't be reached; the operation did not happen.
    Unavailable,
    /// The outcome of a commit is unknown: it may or may not have happened.
    Ambiguous,
    /// Another writer has taken over this store; this handle can never write again.
    Fenced,
    /// The revision that a view reads from is no longer kept by the engine.
    SnapshotExpired,
    /// No room: the disk, the map or a quota is full; nothing was changed.
    Full,
    /// A key, a value, a batch or a number of views is over a declared limit; nothing was changed.
    TooLarge,
    /// An argument makes no sense to this operation.
    InvalidArgument,
    /// A URL or an option can't be understood.
    InvalidConfig,
    /// The store, version, instance or branch named isn't there.
    NotFound,
    /// What was to be created is there already.
    AlreadyExists,
    /// Another opener holds the store.
    Locked,
    /// The store, the version or the folder doesn't admit writes.
    ReadOnly,
    /// The engine declares that it can't do this.
    Unsupported,
    /// The bytes are sound, but of a format or a version that this build doesn't know.
    Incompatible,
    /// The bytes are damaged.
    Corrupt,
    /// An earlier failure has left this handle unusable; open the store anew.
    Poisoned,
    /// The store was closed.
    Closed,
    /// The operating system reported a failure.
    Io,
    /// A defect in this crate or in the engine.
    Internal,
}

/// What to do with a failed operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// The same call will fail again.
    Never,
    /// Repeat the same call after a pause.
    Later,
    /// Read again from a new view, decide again, then repeat.
    Refresh,
    /// Read back what is stored before repeating: the call may have taken effect.
    Check,
    /// Open the store anew, then repeat.
    Reopen,
}

impl ErrorKind {
    /// Every kind, in declaration order.
    pub const ALL: &'static [Self] = &[
        Self::Conflict,
        Self::Busy,
        Self::Unavailable,
        Self::Ambiguous,
        Self::Fenced,
        Self::SnapshotExpired,
        Self::Full,
        Self::TooLarge,
        Self::InvalidArgument,
        Self::InvalidConfig,
        Self::NotFound,
        Self::AlreadyExists,
        Self::Locked,
        Self::ReadOnly,
        Self::Unsupported,
        Self::Incompatible,
        Self::Corrupt,
        Self::Poisoned,
        Self::Closed,
        Self::Io,
        Self::Internal,
    ];

    /// What to do with an operation that failed this way.
    pub const fn retry(self) -> Retry {
        match self {
            Self::Busy | Self::Unavailable | Self::Locked => Retry::Later,
            Self::Conflict | Self::SnapshotExpired => Retry::Refresh,
            Self::Ambiguous => Retry::Check,
            Self::Fenced | Self::Poisoned | Self::Closed => Retry::Reopen,
            _ => Retry::Never,
        }
    }

    /// The kind's name in words, as error texts and reports show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Ambiguous => "ambiguous",
            Self::Fenced => "fenced",
            Self::SnapshotExpired => "snapshot expired",
            Self::Full => "full",
            Self::TooLarge => "too large",
            Self::InvalidArgument => "invalid argument",
            Self::InvalidConfig => "invalid configuration",
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::Locked => "locked",
            Self::ReadOnly => "read-only",
            Self::Unsupported => "unsupported",
            Self::Incompatible => "incompatible",
            Self::Corrupt => "corrupt",
            Self::Poisoned => "poisoned",
            Self::Closed => "closed",
            Self::Io => "I/O",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error: a [kind](ErrorKind), a fixed message, named facts, and what caused it.
///
/// ```
/// use engine_api::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::TooLarge, "the key is longer than the engine allows")
///     .with("length", 600)
///     .with("limit", 511);
/// assert_eq!(error.kind(), ErrorKind::TooLarge);
/// assert_eq!(error.to_string(), "the key is longer than the engine allows (length: 600, limit: 511)");
/// assert_eq!(size_of::<engine_api::Result<()>>(), size_of::<usize>());
/// ```
pub struct Error(Box<Facts>);

struct Facts {
    kind: ErrorKind,
    message: &'static str,
    fields: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `message` is a full clause without a capital or a full stop.
    #[must_use]
    #[cold]
    pub fn new(kind: ErrorKind, message: &'static str) -> Self {
        Self(Box::new(Facts { kind, message, fields: Vec::new(), source: None }))
    }

    /// Adds a named fact, such as the limit that was passed.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.fields.push((name, value.to_string()));
        self
    }

    /// Adds a key as a named fact, printable bytes as they are and others as `\xNN`.
    #[must_use]
    pub fn with_key(self, name: &'static str, key: &[u8]) -> Self {
        const SHOWN: usize = 64;
        let (shown, rest) = key.split_at(key.len().min(SHOWN));
        let more = if rest.is_empty() { "" } else { "…" };
        self.with(name, format_args!("\"{}{more}\"", shown.escape_ascii()))
    }

    /// Records what caused this error.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What to do about it; the same as [`ErrorKind::retry`].
    pub fn retry(&self) -> Retry {
        self.0.kind.retry()
    }

    /// The fixed message, without facts or cause.
    pub fn message(&self) -> &'static str {
        self.0.message
    }

    /// The named facts, in the order in which they were added.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.fields.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The fact called `name`.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The message, the facts, and every cause, on one line.
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    /// Turns an operating system's failure into the kind that fits it.
    #[cold]
    pub fn from_io(error: std::io::Error, message: &'static str) -> Self {
        use std::io::ErrorKind as Os;
        let kind = match error.kind() {
            Os::NotFound => ErrorKind::NotFound,
            Os::AlreadyExists => ErrorKind::AlreadyExists,
            Os::PermissionDenied | Os::ReadOnlyFilesystem => ErrorKind::ReadOnly,
            Os::StorageFull | Os::QuotaExceeded => ErrorKind::Full,
            Os::WouldBlock | Os::ResourceBusy => ErrorKind::Busy,
            Os::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Io,
        };
        Self::new(kind, message).caused_by(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.message)?;
        for (at, (name, value)) in self.fields().enumerate() {
            f.write_str(if at == 0 { " (" } else { ", " })?;
            write!(f, "{name}: {value}")?;
        }
        if !self.0.fields.is_empty() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.report())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_one_word() {
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn the_report_names_every_cause() {
        let io = std::io::Error::other("disk on fire");
        let error = Error::from_io(io, "the log can't be written").with("path", "x.log");
        assert_eq!(error.report(), "the log can't be written (path: x.log): disk on fire");
        assert_eq!(error.kind(), ErrorKind::Io);
    }

    #[test]
    fn long_keys_are_shortened_and_escaped() {
        let error = Error::new(ErrorKind::TooLarge, "no").with_key("key", &[0u8; 100]);
        let shown = error.field("key").unwrap();
        assert!(shown.starts_with("\"\\x00") && shown.ends_with("…\""), "{shown}");
    }
}
