//! Names that no two writes share.

use std::fmt;

use engine_api::Uuid;

/// One write of an object: what its blocks are stored under, and its `ETag`. Random, so that no two writers need to
/// agree on it, at any version and in any process, and nobody guesses one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Generation([u8; 16]);

impl Generation {
    pub(crate) fn new() -> Self {
        Self(Uuid::new_v4().into_bytes())
    }

    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The generation of an upload's id.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        Uuid::try_parse(id).ok().map(|uuid| Self(uuid.into_bytes()))
    }

    pub(crate) fn e_tag(self) -> String {
        format!("\"{self}\"")
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).simple().fmt(f)
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
