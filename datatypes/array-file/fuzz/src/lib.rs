//! Inputs whose checksums are right, so that what is behind the checksums is reached, and a reader that reads
//! everything of them.

mod bundle;
mod read;
mod reseal;

pub use bundle::{NAME, join, split};
pub use read::read_everything;
pub use reseal::{Names, reseal_layer, reseal_manifest, reseal_whole};

/// More bytes in use than this end a run: the largest block, a copy of it that an answer is made in, and what
/// is small. Nothing that the bytes of a file say may ask for more.
pub const MOST_BYTES: usize = (2 * 256 + 64) << 20;
