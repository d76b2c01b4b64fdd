//! BlockFS as an archive of volumes: a folder with a volume of BlockFS for each scale.

use std::path::{Path, PathBuf};

use blockfs::{BlockFs, BlockFsSpec, BlockWriter};
use chunks::{ChunkStore, Grid};
use engine_api::embedded::make_folder;
use engine_api::{Error, ErrorKind, Result};
use volume::{ArchiveFormat, ArchiveRegistration, ArchiveWriter};

/// Its name in volumes.
pub const BLOCKFS: &str = "blockfs";

engine_api::inventory::submit! { ArchiveRegistration(&BlockFsArchive) }

/// An archive is a folder; `s0.blockfs` has full resolution, `s1.blockfs` the first coarser scale, and so on.
#[derive(Debug)]
struct BlockFsArchive;

fn scale_path(archive: &Path, scale: usize) -> PathBuf {
    archive.join(format!("s{scale}.blockfs"))
}

impl ArchiveFormat for BlockFsArchive {
    fn name(&self) -> &'static str {
        BLOCKFS
    }

    fn check(&self, grid: &Grid) -> Result<()> {
        three(grid.shape())?;
        if grid.fill().bytes().iter().any(|byte| *byte != 0) || grid.origin().iter().any(|start| *start != 0)
        {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a volume of BlockFS begins at zero, and is zero where nothing was written",
            ));
        }
        Ok(())
    }

    fn write(&self, archive: &Path, scale: usize, grid: &Grid) -> Result<Box<dyn ArchiveWriter>> {
        let path = scale_path(archive, scale);
        if !path.exists() {
            let spec = BlockFsSpec::new(three(grid.shape())?, three(grid.chunk_shape())?, grid.dtype());
            make_folder(archive).map_err(|error| {
                Error::from_io(error, "the archive can't be made").with("archive", archive.display())
            })?;
            BlockFs::create(&path, &spec)?;
        }
        let writer = BlockWriter::open(&path)?;
        check_volume(writer.volume(), grid)?;
        Ok(Box::new(Scale(writer)))
    }

    fn read(&self, archive: &Path, scale: usize, grid: &Grid) -> Result<Box<dyn ChunkStore>> {
        let volume = BlockFs::open(scale_path(archive, scale))?;
        check_volume(&volume, grid)?;
        Ok(Box::new(volume))
    }
}

/// A scale that is being written.
struct Scale(BlockWriter);

impl ArchiveWriter for Scale {
    fn chunks(&self) -> &dyn ChunkStore {
        &self.0
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.0.close()
    }
}

/// That what is in a folder is the scale of a volume that it is taken for.
fn check_volume(volume: &BlockFs, grid: &Grid) -> Result<()> {
    if volume.grid() == grid {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Incompatible, "the folder has another volume")
        .with("path", volume.path().display()))
}

fn three(axes: &[u64]) -> Result<[u64; 3]> {
    axes.try_into().map_err(|_| {
        Error::new(ErrorKind::Unsupported, "a volume of BlockFS has three axes").with("axes", axes.len())
    })
}
