//! Chunks of committed versions that are kept elsewhere: in an archive, which the store only refers to.

mod reading;
mod transfer;

use std::fmt;
use std::path::Path;

use chunks::{ChunkStore, Grid};
use engine_api::key::InstanceId;
use engine_api::version::Versioned;
use engine_api::{Error, ErrorKind, Result, Store};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::properties::Properties;
pub(crate) use reading::Archives;
pub use transfer::{Transferred, WatchTransfer};

/// A kind of archive. One that is registered is found by its name:
///
/// ```text
/// engine_api::inventory::submit! { ArchiveRegistration(&MY_FORMAT) }
/// ```
pub trait ArchiveFormat: fmt::Debug + Send + Sync + 'static {
    /// Its name, which volumes record.
    fn name(&self) -> &'static str;

    /// Whether it can keep chunks of a grid.
    ///
    /// # Errors
    /// `Unsupported` when it can't.
    fn check(&self, grid: &Grid) -> Result<()>;

    /// Opens one scale of an archive to be written, and makes it where there is none.
    ///
    /// # Errors
    /// Those of what keeps it.
    fn write(&self, archive: &Path, scale: usize, grid: &Grid) -> Result<Box<dyn ArchiveWriter>>;

    /// Opens one scale of an archive to be read.
    ///
    /// # Errors
    /// `NotFound`; those of what keeps it.
    fn read(&self, archive: &Path, scale: usize, grid: &Grid) -> Result<Box<dyn ChunkStore>>;
}

/// One scale of an archive that is being written.
pub trait ArchiveWriter {
    /// Its chunks.
    fn chunks(&self) -> &dyn ChunkStore;

    /// Ends the writing: when this returns, all chunks are on the disk.
    ///
    /// # Errors
    /// Those of what keeps it.
    fn close(self: Box<Self>) -> Result<()>;
}

/// Makes a format known to programs that it is linked into.
#[derive(Debug)]
pub struct ArchiveRegistration(pub &'static dyn ArchiveFormat);

engine_api::inventory::collect!(ArchiveRegistration);

/// The format of this name.
///
/// # Errors
/// `Unsupported` when it isn't linked into this program.
fn format(name: &str) -> Result<&'static dyn ArchiveFormat> {
    let mut linked = engine_api::inventory::iter::<ArchiveRegistration>().map(|registered| registered.0);
    linked.find(|format| format.name() == name).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "this program was built without archives of this format")
            .with("format", name)
    })
}

/// An archive of a volume, as the volume records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// What chunks refer to it by.
    pub id: Uuid,
    /// The name of its format.
    pub format: String,
    /// Where it is.
    pub path: String,
    /// The version whose chunks it has.
    pub version: Uuid,
}

/// The archives that a volume has by now, whoever recorded them.
pub(crate) fn archives_now<S: Store>(store: &Versioned<S>, volume: InstanceId) -> Result<Vec<Archive>> {
    store.refresh()?;
    Ok(Properties::from_json(&store.dag()?.instance(volume)?.properties)?.archives)
}

/// What a frame says of a chunk that is in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reference {
    archive: Uuid,
    /// The XXH3-64 of the chunk.
    sum: u64,
}

impl Reference {
    const BYTES: usize = 24;

    fn new(archive: Uuid, chunk: &[u8]) -> Self {
        Self { archive, sum: xxhash_rust::xxh3::xxh3_64(chunk) }
    }

    fn bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(self.archive.as_bytes());
        bytes[16..].copy_from_slice(&self.sum.to_le_bytes());
        bytes
    }

    /// What a frame refers to, if it does.
    ///
    /// # Errors
    /// `Corrupt` and `Incompatible` for a damaged frame.
    fn of_frame(frame: &[u8], grid: &Grid) -> Result<Option<Self>> {
        let Some(bytes) = chunks::reference_of(frame, grid.element_size(), grid.chunk_bytes())? else {
            return Ok(None);
        };
        let parts = bytes.split_first_chunk::<16>().and_then(|(id, sum)| Some((*id, sum.try_into().ok()?)));
        let (id, sum) = parts.ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "a reference to an archive has another length")
                .with("bytes", bytes.len())
                .with("expected", Self::BYTES)
        })?;
        Ok(Some(Self { archive: Uuid::from_bytes(id), sum: u64::from_le_bytes(sum) }))
    }

    fn is_of(self, chunk: &[u8]) -> bool {
        xxhash_rust::xxh3::xxh3_64(chunk) == self.sum
    }
}
