//! A version that is to be made.

use uuid::Uuid;

/// A version that is to be made: the next on its parent's branch, with a random UUID, unless told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewVersion {
    pub(super) branch: Option<String>,
    pub(super) uuid: Option<Uuid>,
    pub(super) note: String,
}

impl NewVersion {
    /// The next on the (first) parent's branch.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same on a new branch.
    #[must_use]
    pub fn branch(mut self, name: impl Into<String>) -> Self {
        self.branch = Some(name.into());
        self
    }

    /// The same with this UUID, which no version of the store may have.
    #[must_use]
    pub fn uuid(mut self, uuid: Uuid) -> Self {
        self.uuid = Some(uuid);
        self
    }

    /// The same with a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}
