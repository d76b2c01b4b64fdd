//! Reads precomputed volumes.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use chunks::{Coords, Grid, Region, copy_region, fill_region, zeroed};
use engine_api::{Error, ErrorKind, Result};
use flate2::read::MultiGzDecoder;

use super::INFO;
use super::files::{Files, Folder, most_stored};
use super::info::{Encoding, Info, chunk_name, reversed};
use super::sharded::{Minishards, Sharding};
use crate::formats::compressed_segmentation::{decode_compressed_segmentation, most_encoded_bytes};
use crate::formats::file::read_text;
use crate::formats::info::ImageInfo;
use crate::formats::linear::read_failed;
use crate::formats::open::no_such_scale;
use crate::formats::regions::{RegionReader, check_request};

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A scale of a precomputed volume.
#[derive(Debug)]
pub(super) struct PrecomputedScale {
    files: Arc<dyn Files>,
    /// The folder of the chunks.
    key: String,
    pub(super) image: ImageInfo,
    pub(super) grid: Grid,
    sharding: Option<(Sharding, Minishards)>,
    encoding: Encoding,
    /// x, y, z.
    voxel_offset: [i64; 3],
}

/// The images of all scales.
pub(in crate::formats) fn scales_of(path: &Path) -> Result<Vec<ImageInfo>> {
    let info = Info::parse(&read_text(&path.join(INFO))?)?;
    info.scales.iter().map(|scale| info.image(scale)).collect()
}

/// Opens a scale.
pub(in crate::formats) fn open_regions(path: &Path, scale: usize) -> Result<Box<dyn RegionReader>> {
    let info = Info::parse(&read_text(&path.join(INFO))?)?;
    Ok(Box::new(PrecomputedScale::open(Arc::new(Folder::new(path)), &info, scale)?))
}

impl RegionReader for PrecomputedScale {
    fn info(&self) -> &ImageInfo {
        &self.image
    }

    fn chunk_shape(&self) -> Option<&[u64]> {
        Some(self.grid.chunk_shape())
    }

    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        check_request(&self.image, region, out.len())?;
        let size = self.grid.element_size();
        for coords in self.grid.chunks_in(region)? {
            let Some(chunk) = self.grid.clipped_region(&coords)? else { continue };
            let Some(overlap) = chunk.intersection(region) else { continue };
            match self.read_chunk(&coords, &chunk)? {
                Some(data) => copy_region(&data, &chunk, out, region, &overlap, size)?,
                None => fill_region(out, region, &overlap, self.grid.fill())?,
            }
        }
        Ok(())
    }
}

impl PrecomputedScale {
    pub(super) fn open(files: Arc<dyn Files>, info: &Info, scale: usize) -> Result<Self> {
        let scale = info.scales.get(scale).ok_or_else(|| no_such_scale(scale, info.scales.len()))?;
        let image = info.image(scale)?;
        let encoding = scale.encoding(image.dtype())?;
        if let Encoding::CompressedSegmentation(block) = encoding
            && block.contains(&0)
        {
            return Err(Error::new(ErrorKind::Corrupt, "the blocks of the segmentation have no extent"));
        }
        let grid = scale.grid(&image)?;
        Ok(Self {
            files,
            key: scale.key()?.to_owned(),
            sharding: scale.sharding(&grid)?.map(|sharding| (sharding, Minishards::new())),
            grid,
            encoding,
            voxel_offset: scale.voxel_offset,
            image,
        })
    }

    /// The elements of a chunk, those in bounds; `None` when it isn't stored.
    pub(super) fn read_chunk(&self, coords: &Coords, chunk: &Region) -> Result<Option<Vec<u8>>> {
        let name = chunk_name(chunk, self.voxel_offset);
        match &self.sharding {
            None => self.read_file(&name, chunk),
            Some((sharding, minishards)) => self.read_in_shard(sharding, coords, chunk, minishards),
        }
        .map_err(|error| error.with("chunk", &name))
    }

    /// A chunk's elements, from a file of its own.
    fn read_file(&self, name: &str, chunk: &Region) -> Result<Option<Vec<u8>>> {
        let most = self.most_bytes(chunk)?;
        let Some(file) = self.files.whole(&format!("{}/{name}", self.key), most_stored(most))? else {
            return Ok(None);
        };
        // Elements may begin as a compressed file does, so that a file of just their length is them.
        let raw = self.encoding == Encoding::Raw;
        let elements = raw && !file.compressed && u64::try_from(file.bytes.len()) == Ok(most);
        let packed = !elements && file.bytes.starts_with(&GZIP);
        let too_long = u64::try_from(file.bytes.len()).is_ok_and(|length| length > most);
        if !packed && (too_long || raw && file.compressed) {
            return Err(wrong_length().with("expected", most).with("found", file.bytes.len()));
        }
        let stored = if packed { gunzip(&file.bytes, most)? } else { file.bytes };
        self.decode(stored, chunk).map(Some)
    }

    /// A chunk's elements, from a shard.
    fn read_in_shard(
        &self,
        sharding: &Sharding,
        coords: &Coords,
        chunk: &Region,
        minishards: &Minishards,
    ) -> Result<Option<Vec<u8>>> {
        let &[z, y, x] = &**coords else { return Err(wrong_length()) };
        // None of the chunks of a scale is before its first.
        let place = [x, y, z].map(|at| u64::from(at.unsigned_abs()));
        let stored = sharding.read((&*self.files, &self.key), place, self.most_bytes(chunk)?, minishards)?;
        stored.map(|stored| self.decode(stored, chunk)).transpose()
    }

    /// The most bytes of a chunk as it is encoded.
    fn most_bytes(&self, chunk: &Region) -> Result<u64> {
        Ok(match self.encoding {
            Encoding::Raw => u64::try_from(chunk.bytes(self.grid.element_size())?).unwrap_or(u64::MAX),
            Encoding::CompressedSegmentation(block) => {
                most_encoded_bytes(self.grid.dtype(), extents(chunk)?, block)
            }
        })
    }

    /// A chunk's elements from what is stored of it.
    fn decode(&self, stored: Vec<u8>, chunk: &Region) -> Result<Vec<u8>> {
        let bytes = chunk.bytes(self.grid.element_size())?;
        match self.encoding {
            Encoding::Raw if stored.len() == bytes => Ok(stored),
            Encoding::Raw => Err(wrong_length().with("expected", bytes).with("found", stored.len())),
            Encoding::CompressedSegmentation(block) => {
                let mut data = zeroed(bytes)?;
                decode_compressed_segmentation(self.grid.dtype(), extents(chunk)?, block, &stored, &mut data)
                    .map_err(|error| error.with("block_xyz", format_args!("{:?}", reversed(block))))?;
                Ok(data)
            }
        }
    }
}

/// z, y, x.
fn extents(chunk: &Region) -> Result<[u64; 3]> {
    let &[z, y, x] = chunk.shape() else { return Err(wrong_length()) };
    Ok([z, y, x])
}

/// What is compressed, where it isn't longer than `most`.
pub(super) fn gunzip(packed: &[u8], most: u64) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    // At the end, one byte further, the checksum is judged.
    MultiGzDecoder::new(packed).take(most.saturating_add(1)).read_to_end(&mut data).map_err(read_failed)?;
    if u64::try_from(data.len()).is_ok_and(|length| length <= most) {
        Ok(data)
    } else {
        Err(wrong_length().with("most", most))
    }
}

fn wrong_length() -> Error {
    Error::new(ErrorKind::Corrupt, "a chunk isn't as long as its shape says")
}
