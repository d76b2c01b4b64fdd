//! A volume of BlockFS as an image.

use std::path::Path;

use blockfs::BlockFs;
use chunks::Region;
use engine_api::{Error, ErrorKind, Result};
use volume::{ImageInfo, RegionReader};

/// A volume that is read as any image is.
#[derive(Debug)]
pub(crate) struct BlockFsImage {
    pub(super) volume: BlockFs,
    info: ImageInfo,
    block: [u64; 3],
}

impl BlockFsImage {
    /// # Errors
    /// Those of [`BlockFs::open`]; `Unsupported` for voxels that images don't have, such as complex numbers.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let volume = BlockFs::open(path)?;
        let what = volume.info()?;
        let dtype = what.element.dtype().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "no other format here has voxels of this type")
                .with("type", &what.element)
        })?;
        let info = ImageInfo::new(&what.extent, dtype)?;
        Ok(Self { volume, info, block: what.block })
    }

    /// The same, of which so many bytes are read at once, or one slice.
    pub(super) fn reading_at_once(mut self, bytes: u64) -> Result<Self> {
        let slice = u64::try_from(self.info.slice_bytes()?).unwrap_or(u64::MAX);
        self.block[0] = self.block[0].min(bytes / slice.max(1)).max(1);
        Ok(self)
    }
}

impl RegionReader for BlockFsImage {
    fn info(&self) -> &ImageInfo {
        &self.info
    }

    fn chunk_shape(&self) -> Option<&[u64]> {
        Some(&self.block)
    }

    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        self.volume.read_region(region, out)
    }
}
