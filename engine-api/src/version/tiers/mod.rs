//! Several stores as one: repos and versions in one of them, each instance's data in one that a rule chooses,
//! and committed data in a third that is cheaper to keep.
//!
//! [`Tiered`] is a [`Store`](crate::Store) for [`Versioned`](super::Versioned), and for nothing else: it looks
//! at keys to know whose they are.
//!
//! # Where what is
//! - The metadata is in the store of [`Tier::Metadata`].
//! - The data of an instance is in the store that the [`Assignment`] chose when the instance was made. The choice is
//!   recorded, so that rules can change without anything getting lost.
//! - Data of a committed version that was archived is in the instance's store of [`Tier::Immutable`]. Reads look at
//!   both.
//!
//! # What keeps them together
//! A batch is for one store; one that isn't is `Unsupported`, and never split. Writes of data require, in their own
//! batch, that the instance is there and the version isn't committed. So the records that say so are mirrored in the
//! stores that have data: put there before the metadata has them, taken back when the metadata refuses them, and
//! compared when the stores are opened. Between a crash and the opening nobody writes.
//!
//! Each store bears the name that it has here and the UUID of the whole, so that none can take another's place.

mod archive;
mod assignment;
mod mirror;
mod store;
mod stores;
mod view;

pub use archive::Archived;
pub use assignment::{Assignment, Choice, Rule, Selector};
pub use store::Tiered;
pub use stores::{Guard, Member};

use crate::spi::Requirements;

/// What a store is for. DVID's `DataStoreType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Repos, versions, instances.
    Metadata,
    /// Data that is written.
    Mutable,
    /// Data of committed versions, which is put once.
    Immutable,
}

impl Tier {
    /// The tier's name, as errors show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "the metadata tier",
            Self::Mutable => "the mutable tier",
            Self::Immutable => "the immutable tier",
        }
    }

    /// What a store must be able to do to serve.
    pub fn requirements(self) -> Requirements {
        match self {
            Self::Metadata | Self::Mutable => Requirements::new(self.as_str()).atomic().conditional(),
            Self::Immutable => Requirements::new(self.as_str()).atomic(),
        }
    }
}
