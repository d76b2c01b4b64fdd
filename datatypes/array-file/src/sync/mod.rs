//! Files where nothing is asynchronous.

mod array_chunks;
mod array_scales;
mod sync_file;

pub use array_chunks::ArrayChunks;
pub use array_scales::ArrayScales;
pub use sync_file::SyncFile;
