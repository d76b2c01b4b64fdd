//! Reads arrays.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use chunks::{Coords, Grid, Region, copy_region, fill_region, zeroed};
use engine_api::{Error, Result};

use super::codecs::{Chain, Sharding};
use super::corrupt;
use super::metadata::{ArrayMetadata, KeyEncoding};
use crate::formats::info::ImageInfo;
use crate::formats::linear::read_failed;
use crate::formats::regions::{RegionReader, check_request};

/// An array in a folder.
pub(super) struct ZarrArray {
    folder: PathBuf,
    image: ImageInfo,
    /// Of the chunks that are decoded by themselves, in shards or not.
    grid: Grid,
    keys: KeyEncoding,
    chain: Chain,
    sharding: Option<Sharding>,
}

/// A shard that is open, with where its chunks are.
struct Shard {
    file: File,
    length: u64,
    index: Vec<[u64; 2]>,
}

impl ZarrArray {
    pub(super) fn new(folder: &Path, array: &ArrayMetadata, image: ImageInfo) -> Result<Self> {
        let stored = array.stored_shape()?;
        let (chain, sharding) = array.chain(&stored)?;
        let grid = array.grid(sharding.as_ref().map_or(&stored, |sharding| &sharding.chunk_shape))?;
        Ok(Self { folder: folder.to_owned(), image, grid, keys: array.keys()?, chain, sharding })
    }

    /// A chunk that has a file of its own.
    fn read_alone(&self, coords: &Coords) -> Result<Option<Vec<u8>>> {
        let Some(mut file) = self.open(&unsigned(coords))? else { return Ok(None) };
        let length = file.metadata().map_err(read_failed)?.len();
        self.read_and_decode(&mut file, length).map(Some)
    }

    /// A chunk in a shard.
    fn read_in_shard(
        &self,
        sharding: &Sharding,
        coords: &Coords,
        shards: &mut HashMap<Vec<u64>, Option<Shard>>,
    ) -> Result<Option<Vec<u8>>> {
        let coords = unsigned(coords);
        let shard_coords: Vec<u64> =
            coords.iter().zip(&sharding.chunks).map(|(at, chunks)| at / chunks).collect();
        if !shards.contains_key(&shard_coords) {
            let shard = self.open_shard(sharding, &shard_coords)?;
            shards.insert(shard_coords.clone(), shard);
        }
        let Some(Some(shard)) = shards.get_mut(&shard_coords) else { return Ok(None) };
        let place =
            coords.iter().zip(&sharding.chunks).fold(0, |place, (at, chunks)| place * chunks + at % chunks);
        let entry = usize::try_from(place).ok().and_then(|place| shard.index.get(place));
        let Some([start, bytes]) = entry.copied() else { return Err(corrupt("a shard lacks a chunk")) };
        if (start, bytes) == (u64::MAX, u64::MAX) {
            return Ok(None);
        }
        if start.checked_add(bytes).is_none_or(|end| end > shard.length) {
            return Err(corrupt("a chunk lies outside of its shard")
                .with("start", start)
                .with("bytes", bytes));
        }
        shard.file.seek(SeekFrom::Start(start)).map_err(read_failed)?;
        self.read_and_decode(&mut shard.file, bytes).map(Some)
    }

    fn open_shard(&self, sharding: &Sharding, coords: &[u64]) -> Result<Option<Shard>> {
        let Some(mut file) = self.open(coords)? else { return Ok(None) };
        let length = file.metadata().map_err(read_failed)?.len();
        let bytes = sharding.index_bytes();
        let at = match u64::try_from(bytes).ok().and_then(|bytes| length.checked_sub(bytes)) {
            Some(_) if sharding.index_at_start => 0,
            Some(at) => at,
            None => return Err(corrupt("a shard is shorter than its index")),
        };
        let mut index = zeroed(bytes)?;
        file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut index)).map_err(read_failed)?;
        Ok(Some(Shard { file, length, index: sharding.decode_index(index)? }))
    }

    fn open(&self, coords: &[u64]) -> Result<Option<File>> {
        match File::open(self.folder.join(self.keys.name(coords))) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::from_io(error, "a chunk can't be opened")),
        }
    }

    fn read_and_decode(&self, file: &mut File, bytes: u64) -> Result<Vec<u8>> {
        let length =
            usize::try_from(bytes).ok().filter(|bytes| *bytes <= Chain::most_bytes(self.grid.chunk_bytes()));
        let Some(length) = length else { return Err(corrupt("a chunk is longer than its shape says")) };
        let mut encoded = zeroed(length)?;
        file.read_exact(&mut encoded).map_err(read_failed)?;
        self.chain.decode(encoded, self.grid.chunk_shape(), self.grid.element_size())
    }
}

impl RegionReader for ZarrArray {
    fn info(&self) -> &ImageInfo {
        &self.image
    }

    fn chunk_shape(&self) -> Option<&[u64]> {
        Some(self.grid.chunk_shape())
    }

    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        check_request(&self.image, region, out.len())?;
        let mut shards = HashMap::new();
        for coords in self.grid.chunks_in(region)? {
            let chunk = self.grid.chunk_region(&coords)?;
            let Some(overlap) = chunk.intersection(region) else { continue };
            let data = match &self.sharding {
                None => self.read_alone(&coords),
                Some(sharding) => self.read_in_shard(sharding, &coords, &mut shards),
            }
            .map_err(|error| error.with("chunk", coords))?;
            match data {
                Some(data) => copy_region(&data, &chunk, out, region, &overlap, self.grid.element_size())?,
                None => fill_region(out, region, &overlap, self.grid.fill())?,
            }
        }
        Ok(())
    }
}

/// The coordinates of a chunk in bounds, of which none is negative.
fn unsigned(coords: &Coords) -> Vec<u64> {
    coords.iter().map(|at| u64::from(at.unsigned_abs())).collect()
}
