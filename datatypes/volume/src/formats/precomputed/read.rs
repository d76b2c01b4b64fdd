//! Reads precomputed volumes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use chunks::{Coords, Grid, Region, copy_region, fill_region, zeroed};
use engine_api::{Error, ErrorKind, Result};
use flate2::read::MultiGzDecoder;

use super::INFO;
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
struct PrecomputedScale {
    folder: PathBuf,
    image: ImageInfo,
    grid: Grid,
    sharding: Option<Sharding>,
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
    let scale = info.scales.get(scale).ok_or_else(|| no_such_scale(scale, info.scales.len()))?;
    let image = info.image(scale)?;
    let encoding = scale.encoding(image.dtype())?;
    if let Encoding::CompressedSegmentation(block) = encoding
        && block.contains(&0)
    {
        return Err(Error::new(ErrorKind::Corrupt, "the blocks of the segmentation have no extent"));
    }
    let grid = scale.grid(&image)?;
    Ok(Box::new(PrecomputedScale {
        folder: path.join(scale.folder()?),
        sharding: scale.sharding(&grid)?,
        grid,
        encoding,
        voxel_offset: scale.voxel_offset,
        image,
    }))
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
        let mut minishards = Minishards::new();
        for coords in self.grid.chunks_in(region)? {
            let Some(chunk) = self.grid.clipped_region(&coords)? else { continue };
            let Some(overlap) = chunk.intersection(region) else { continue };
            let name = chunk_name(&chunk, self.voxel_offset);
            let data = match &self.sharding {
                None => self.read_chunk(&name, &chunk),
                Some(sharding) => self.read_in_shard(sharding, &coords, &chunk, &mut minishards),
            }
            .map_err(|error| error.with("chunk", &name))?;
            match data {
                Some(data) => copy_region(&data, &chunk, out, region, &overlap, size)?,
                None => fill_region(out, region, &overlap, self.grid.fill())?,
            }
        }
        Ok(())
    }
}

impl PrecomputedScale {
    /// A chunk's elements; `None` when it isn't stored.
    fn read_chunk(&self, name: &str, chunk: &Region) -> Result<Option<Vec<u8>>> {
        let path = self.folder.join(name);
        let (file, compressed) = match open(&path)? {
            Some(file) => (file, false),
            None => match open(&path.with_file_name(format!("{name}.gz")))? {
                Some(file) => (file, true),
                None => return Ok(None),
            },
        };
        match self.encoding {
            Encoding::Raw => read_raw(file, compressed, chunk.bytes(self.grid.element_size())?).map(Some),
            Encoding::CompressedSegmentation(block) => {
                let most = most_encoded_bytes(self.grid.dtype(), extents(chunk)?, block);
                self.decode(read_encoded(file, most)?, chunk).map(Some)
            }
        }
    }

    /// A chunk's elements, from a shard.
    fn read_in_shard(
        &self,
        sharding: &Sharding,
        coords: &Coords,
        chunk: &Region,
        minishards: &mut Minishards,
    ) -> Result<Option<Vec<u8>>> {
        let &[z, y, x] = &**coords else { return Err(wrong_length()) };
        let most = match self.encoding {
            Encoding::Raw => u64::try_from(chunk.bytes(self.grid.element_size())?).unwrap_or(u64::MAX),
            Encoding::CompressedSegmentation(block) => {
                most_encoded_bytes(self.grid.dtype(), extents(chunk)?, block)
            }
        };
        // None of the chunks of a scale is before its first.
        let place = [x, y, z].map(|at| u64::from(at.unsigned_abs()));
        let stored = sharding.read(&self.folder, place, most, minishards)?;
        stored.map(|stored| self.decode(stored, chunk)).transpose()
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

fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::from_io(error, "a chunk can't be opened")),
    }
}

/// Elements may begin as a compressed file does, so that a file of just their length is them.
fn read_raw(mut file: File, compressed: bool, bytes: usize) -> Result<Vec<u8>> {
    let length = file.metadata().map_err(read_failed)?.len();
    let mut data = zeroed(bytes)?;
    if !compressed && u64::try_from(bytes) == Ok(length) {
        file.read_exact(&mut data).map_err(read_failed)?;
        return Ok(data);
    }
    let mut magic = [0; 2];
    file.read_exact(&mut magic).map_err(read_failed)?;
    if magic != GZIP {
        return Err(wrong_length().with("expected", bytes).with("found", length));
    }
    let mut input = MultiGzDecoder::new(magic.as_slice().chain(file));
    input.read_exact(&mut data).map_err(read_failed)?;
    // At the end the checksum is judged.
    if io::copy(&mut input.take(1), &mut io::sink()).map_err(read_failed)? > 0 {
        return Err(wrong_length().with("expected", bytes));
    }
    Ok(data)
}

/// All of a file, decompressed if need be, where it isn't longer than `most`.
fn read_encoded(file: File, most: u64) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    let mut file = file;
    file.by_ref().take(2).read_to_end(&mut start).map_err(read_failed)?;
    let compressed = start == GZIP;
    let all = io::Cursor::new(start).chain(file);
    let input: Box<dyn Read> = if compressed { Box::new(MultiGzDecoder::new(all)) } else { Box::new(all) };
    let mut data = Vec::new();
    input.take(most.saturating_add(1)).read_to_end(&mut data).map_err(read_failed)?;
    if u64::try_from(data.len()).is_ok_and(|length| length <= most) { Ok(data) } else { Err(wrong_length()) }
}

fn wrong_length() -> Error {
    Error::new(ErrorKind::Corrupt, "a chunk isn't as long as its shape says")
}
