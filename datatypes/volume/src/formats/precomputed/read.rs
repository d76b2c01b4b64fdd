//! Reads precomputed volumes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use chunks::{Grid, Region, copy_region, fill_region, zeroed};
use engine_api::{Error, ErrorKind, Result};
use flate2::read::MultiGzDecoder;

use super::INFO;
use super::info::{Encoding, Info, chunk_name, reversed};
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
    Ok(Box::new(PrecomputedScale {
        folder: path.join(scale.folder()?),
        grid: scale.grid(&image)?,
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
        for coords in self.grid.chunks_in(region)? {
            let Some(chunk) = self.grid.clipped_region(&coords)? else { continue };
            let Some(overlap) = chunk.intersection(region) else { continue };
            let name = chunk_name(&chunk, self.voxel_offset);
            let data = self.read_chunk(&name, &chunk).map_err(|error| error.with("chunk", &name))?;
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
        let bytes = chunk.bytes(self.grid.element_size())?;
        match self.encoding {
            Encoding::Raw => read_raw(file, compressed, bytes).map(Some),
            Encoding::CompressedSegmentation(block) => {
                let [z, y, x] = *chunk.shape() else { return Err(wrong_length()) };
                let shape = [z, y, x];
                let most = most_encoded_bytes(self.grid.dtype(), shape, block);
                let encoded = read_encoded(file, most)?;
                let mut data = zeroed(bytes)?;
                decode_compressed_segmentation(self.grid.dtype(), shape, block, &encoded, &mut data)
                    .map_err(|error| error.with("block_xyz", format_args!("{:?}", reversed(block))))?;
                Ok(Some(data))
            }
        }
    }
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
