//! Reads arrays.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use chunks::{Coords, Fill, Grid, Region, copy_region, fill_region};
use engine_api::Result;
use zarrs::array::{
    Array, ArrayBuilder, ArrayBytes, ArrayError, ArrayMetadataV3, ArrayPartialDecoderTraits, ArraySubset,
    ChunkShape, CodecOptions,
};

use super::codecs::{Sharding, chain, most_bytes};
use super::corrupt;
use super::metadata::ArrayMetadata;
use super::store::{Folder, failed, native_order};
use crate::formats::info::ImageInfo;
use crate::formats::regions::{RegionReader, check_request};

/// An array in a folder.
pub(super) struct ZarrArray {
    image: ImageInfo,
    array: Array<Folder>,
    /// Of the chunks that are decoded by themselves, in shards or not.
    grid: Grid,
    /// The shape of a shard where there are any.
    shards: Option<Vec<u64>>,
    options: CodecOptions,
}

/// The shards of one read that are there, each with the index that was read of it.
type Shards = HashMap<Vec<u64>, Option<Arc<dyn ArrayPartialDecoderTraits>>>;

impl ZarrArray {
    /// Opens an array in its folder. All that sizes what zarrs allocates is checked before.
    pub(super) fn new(folder: &Path, metadata: &ArrayMetadata, image: ImageInfo) -> Result<Self> {
        let (ArrayMetadataV3 { shape, codecs, chunk_grid, .. }, dtype) = (&metadata.array, image.dtype());
        let numbers = |shape: &ChunkShape| shape.iter().map(|extent| extent.get()).collect::<Vec<_>>();
        let stored = metadata.stored_shape()?;
        let sharding = Sharding::of_array(codecs, &stored)?;
        let shards = sharding.is_some().then(|| numbers(&stored));
        let chunk_shape = numbers(sharding.as_ref().map_or(&stored, Sharding::chunk_shape));
        let grid = Grid::new(shape, &chunk_shape, dtype)?;
        let most = most_bytes(grid.chunk_bytes());
        let most_read = sharding.as_ref().map_or(0, Sharding::index_bytes).max(most);
        let codecs = sharding.map_or_else(|| chain(codecs, most), |sharding| sharding.chain(most))?;
        let array = ArrayBuilder::new(&**shape, chunk_grid.clone(), dtype.numpy_name(), metadata.fill()?)
            .chunk_key_encoding(metadata.keys()?)
            .array_to_array_codecs(codecs.array_to_array_codecs().to_vec())
            .array_to_bytes_codec(Arc::clone(codecs.array_to_bytes_codec()))
            .bytes_to_bytes_codecs(codecs.bytes_to_bytes_codecs().to_vec())
            .build(Arc::new(Folder::new(folder, most_read)), "/")
            .map_err(|error| corrupt("its metadata don't make an array").caused_by(error))?;
        let mut fill = array.fill_value().as_ne_bytes().to_vec();
        native_order(dtype.size(), &mut fill);
        let grid = grid.with_fill(Fill::from_bytes(dtype, &fill)?)?;
        Ok(Self { image, array, grid, shards, options: on_this_thread() })
    }

    /// A chunk that has a file of its own, whole.
    fn read_alone(&self, coords: &Coords) -> Result<Option<Vec<u8>>> {
        let coords: Vec<u64> = coords.iter().map(|at| u64::from(at.unsigned_abs())).collect();
        let chunk = self.array.retrieve_chunk_if_exists_opt::<ArrayBytes<'_>>(&coords, &self.options);
        chunk.map_err(failed)?.map(|chunk| self.elements(chunk)).transpose()
    }

    /// A part of a chunk in a shard.
    fn read_in_shard(&self, shape: &[u64], part: &Region, shards: &mut Shards) -> Result<Option<Vec<u8>>> {
        let starts = || part.offset().iter().map(|at| at.unsigned_abs()).zip(shape);
        let coords: Vec<u64> = starts().map(|(at, extent)| at / extent).collect();
        if !shards.contains_key(&coords) {
            let shard = self.array.partial_decoder_opt(&coords, &self.options).map_err(failed)?;
            let is_there = shard.exists().map_err(failed)?;
            shards.insert(coords.clone(), is_there.then_some(shard));
        }
        let Some(Some(shard)) = shards.get(&coords) else { return Ok(None) };
        let within = starts().map(|(at, extent)| at % extent).zip(part.shape());
        let within = ArraySubset::from(within.map(|(start, length)| start..start + length));
        let data = shard.partial_decode(&within, &self.options).map_err(failed)?;
        self.elements(data).map(Some)
    }

    fn elements(&self, chunk: ArrayBytes<'_>) -> Result<Vec<u8>> {
        let mut data = chunk.into_fixed().map_err(|error| failed(ArrayError::from(error)))?.into_owned();
        native_order(self.grid.element_size(), &mut data);
        Ok(data)
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
        let grid = &self.grid;
        let mut shards = Shards::new();
        for coords in grid.chunks_in(region)? {
            let chunk = grid.chunk_region(&coords)?;
            let Some(overlap) = chunk.intersection(region) else { continue };
            let (data, read) = match &self.shards {
                None => (self.read_alone(&coords), &chunk),
                Some(shape) => (self.read_in_shard(shape, &overlap, &mut shards), &overlap),
            };
            match data.map_err(|error| error.with("chunk", coords))? {
                Some(data) => copy_region(&data, read, out, region, &overlap, grid.element_size())?,
                None => fill_region(out, region, &overlap, grid.fill())?,
            }
        }
        Ok(())
    }
}

/// The threads are those of who reads and writes chunks.
pub(super) fn on_this_thread() -> CodecOptions {
    CodecOptions::default().with_concurrent_target(1)
}
