//! The same for callers that are asynchronous: each call runs on a thread of the runtime's that may block.

use std::path::Path;
use std::sync::Arc;

use chunks::{ChunkStore, Coords, Region, write_region};
use engine_api::{Error, ErrorKind, Result};

use crate::volume::{BlockFs, BlockState};
use crate::writer::{BlockWriter, WriterOptions};

/// A volume that is read, and written where it was opened for it, from async code. Clones are the same volume.
///
/// A call whose future is dropped is done nevertheless.
///
/// ```
/// use blockfs::{AsyncBlockFs, BlockFs, BlockFsSpec};
/// use chunks::{Coords, DType};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> engine_api::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("brain.blockfs");
/// BlockFs::create(&path, &BlockFsSpec::new([64, 64, 64], [32, 32, 32], DType::U8))?;
/// let volume = AsyncBlockFs::open_writable(&path).await?;
/// let block = Coords::new(&[1, 0, 1])?;
/// volume.write_block(block, vec![3; 32 * 32 * 32]).await?;
/// volume.flush().await?;
/// assert_eq!(volume.read_block(block).await?.1, vec![3; 32 * 32 * 32]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AsyncBlockFs {
    volume: Arc<BlockFs>,
    writer: Option<Arc<BlockWriter>>,
}

impl AsyncBlockFs {
    /// As [`BlockFs::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let volume = blocking(move || BlockFs::open(path)).await?;
        Ok(Self { volume: Arc::new(volume), writer: None })
    }

    /// As [`BlockWriter::open`].
    pub async fn open_writable(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_writable_with(path, WriterOptions::default()).await
    }

    /// As [`BlockWriter::open_with`].
    pub async fn open_writable_with(path: impl AsRef<Path>, options: WriterOptions) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let open = move || Ok((BlockFs::open(&path)?, BlockWriter::open_with(&path, options)?));
        let (volume, writer) = blocking(open).await?;
        Ok(Self { volume: Arc::new(volume), writer: Some(Arc::new(writer)) })
    }

    /// The volume, as it was committed.
    pub fn volume(&self) -> &BlockFs {
        &self.volume
    }

    /// A block and its state, as [`BlockWriter::read_block`] or [`BlockFs::read_block`].
    pub async fn read_block(&self, block: Coords) -> Result<(BlockState, Vec<u8>)> {
        let this = self.clone();
        blocking(move || {
            let mut out = chunks::zeroed(this.volume.block_bytes(&block)?)?;
            let state = match &this.writer {
                Some(writer) => writer.read_block(&block, &mut out)?,
                None => this.volume.read_block(&block, &mut out)?,
            };
            Ok((state, out))
        })
        .await
    }

    /// The voxels of a region, as [`chunks::read_region`].
    pub async fn read_region(&self, region: Region) -> Result<Vec<u8>> {
        let this = self.clone();
        blocking(move || {
            let store: &dyn ChunkStore = match &this.writer {
                Some(writer) => &**writer,
                None => &*this.volume,
            };
            let mut out = chunks::zeroed(region.bytes(store.grid().element_size())?)?;
            chunks::read_region(store, &region, &mut out)?;
            Ok(out)
        })
        .await
    }

    /// As [`BlockWriter::write_block`].
    pub async fn write_block(&self, block: Coords, data: Vec<u8>) -> Result<()> {
        self.write(move |writer| writer.write_block(&block, &data)).await
    }

    /// As [`chunks::write_region`].
    pub async fn write_region(&self, region: Region, data: Vec<u8>) -> Result<()> {
        self.write(move |writer| write_region(writer, &region, &data)).await
    }

    /// As [`BlockWriter::flush`].
    pub async fn flush(&self) -> Result<()> {
        self.write(BlockWriter::flush).await
    }

    async fn write(&self, work: impl FnOnce(&BlockWriter) -> Result<()> + Send + 'static) -> Result<()> {
        let writer = self
            .writer
            .clone()
            .ok_or_else(|| Error::new(ErrorKind::ReadOnly, "the volume is open to be read"))?;
        blocking(move || work(&writer)).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "a task on a volume ended early").caused_by(error))?
}
