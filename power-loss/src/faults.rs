//! What goes wrong, and when.

/// What goes wrong, and when. Everything is counted from the moment at which the faults are set.
///
/// ```
/// use power_loss::Faults;
///
/// let faults = Faults::NONE.cut_at(40).short_writes(3);
/// assert_eq!(faults.cut_at, Some(40));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Faults {
    /// The power goes at the change of this number, the first being 1: a write, a sync, or a change of a
    /// length or of a name.
    pub cut_at: Option<u64>,
    /// The sync of this number fails with `EIO`, and what it should have written isn't written by the next
    /// one either.
    pub fail_sync: Option<u64>,
    /// The write of this number fails with `EIO`, and nothing of it is written.
    pub fail_write: Option<u64>,
    /// The read of this number and all after it fail with `EIO`. What was made since the mount is in the
    /// system's cache, and is read all the same.
    pub fail_reads: Option<u64>,
    /// Each so manieth write of more than a byte takes a part of the bytes, and says so.
    pub short_writes: Option<u64>,
    /// The bytes that files may take, in blocks of 4096: a write beyond them fails with `ENOSPC`.
    pub room: Option<u64>,
}

impl Faults {
    /// All goes well.
    pub const NONE: Self = Self {
        cut_at: None,
        fail_sync: None,
        fail_write: None,
        fail_reads: None,
        short_writes: None,
        room: None,
    };

    /// See [`cut_at`](Self::cut_at).
    #[must_use]
    pub const fn cut_at(mut self, change: u64) -> Self {
        self.cut_at = Some(change);
        self
    }

    /// See [`fail_sync`](Self::fail_sync).
    #[must_use]
    pub const fn fail_sync(mut self, sync: u64) -> Self {
        self.fail_sync = Some(sync);
        self
    }

    /// See [`fail_write`](Self::fail_write).
    #[must_use]
    pub const fn fail_write(mut self, write: u64) -> Self {
        self.fail_write = Some(write);
        self
    }

    /// See [`fail_reads`](Self::fail_reads).
    #[must_use]
    pub const fn fail_reads(mut self, from: u64) -> Self {
        self.fail_reads = Some(from);
        self
    }

    /// See [`short_writes`](Self::short_writes).
    #[must_use]
    pub const fn short_writes(mut self, each: u64) -> Self {
        self.short_writes = Some(each);
        self
    }

    /// See [`room`](Self::room).
    #[must_use]
    pub const fn room(mut self, bytes: u64) -> Self {
        self.room = Some(bytes);
        self
    }
}
