//! A dataset cache beside files, LMDB and SQLite used as one.

mod churn;
mod hits;
mod lmdb;
mod ours;
mod raw;
mod side;
mod sqlite;
mod walk;

pub use churn::churn;
pub use hits::hits;
pub use walk::walks;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// The bytes of the entries of a cache.
    held: u64,
    /// The bytes that are put into a full one.
    put: u64,
    /// Rounds of reading everything once.
    rounds: usize,
    /// Steps of a walk.
    steps: usize,
    /// Voxels of noise along each axis.
    extent: u64,
}

impl Size {
    /// What the tables have.
    pub const WHOLE: Self = Self { held: 128 << 20, put: 256 << 20, rounds: 7, steps: 100, extent: 512 };

    /// What shows that it runs.
    pub const QUICK: Self = Self { held: 8 << 20, put: 16 << 20, rounds: 3, steps: 3, extent: 128 };
}
