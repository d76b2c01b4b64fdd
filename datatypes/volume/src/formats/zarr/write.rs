//! Writes arrays and OME-Zarr images.

use std::path::Path;
use std::sync::Arc;

use chunks::{Grid, Region, copy_region, for_each_parallel, zeroed};
use engine_api::{Error, ErrorKind, Result};
use serde_json::{Map, Value};
use zarrs::array::codec::BytesCodec;
use zarrs::array::{Array, ArrayBuilder, ArrayBytes, ArrayMetadataOptions, CodecOptions, FillValue};
use zarrs::group::GroupBuilder;

use super::array::on_this_thread;
use super::bounded::Bounded;
use super::ome::Multiscale;
use super::store::{failed, native_order};
use crate::formats::CreateOptions;
use crate::formats::chunked::{ChunkedWriter, RowSink};
use crate::formats::info::ImageInfo;
use crate::formats::io::ImageWriter;
use crate::formats::partial_dir::PartialDir;

struct ZarrRows {
    array: Array<PartialDir>,
    grid: Grid,
    options: CodecOptions,
}

/// Creates an array.
pub(in crate::formats) fn create_array(
    path: &Path,
    image: &ImageInfo,
    options: &CreateOptions,
) -> Result<Box<dyn ImageWriter>> {
    let grid = grid_of(image, options)?;
    let attributes = image.metadata.get("zarr").and_then(|fields| fields.get("attributes"));
    let attributes = attributes.and_then(Value::as_object).cloned().unwrap_or_default();
    let dir = Arc::new(PartialDir::create(path, 1)?);
    create(dir, "/", image, grid, attributes)
}

/// Creates an OME-Zarr image with a scale for each image.
pub(in crate::formats) fn create_ome(
    path: &Path,
    images: &[ImageInfo],
    options: &CreateOptions,
) -> Result<Vec<Box<dyn ImageWriter>>> {
    let attributes = Multiscale::new(images)?.attributes();
    let grids = images.iter().map(|image| grid_of(image, options)).collect::<Result<Vec<_>>>()?;
    let dir = Arc::new(PartialDir::create(path, images.len())?);
    let group = GroupBuilder::new().attributes(attributes).build(Arc::clone(&dir), "/");
    group.map_err(not_made)?.store_metadata().map_err(failed)?;
    let scales = images.iter().zip(grids).enumerate();
    scales
        .map(|(scale, (image, grid))| create(Arc::clone(&dir), &format!("/{scale}"), image, grid, Map::new()))
        .collect()
}

fn grid_of(image: &ImageInfo, options: &CreateOptions) -> Result<Grid> {
    Grid::new(image.shape(), &options.chunk_shape_for(image), image.dtype())
}

fn create(
    dir: Arc<PartialDir>,
    path: &str,
    image: &ImageInfo,
    grid: Grid,
    attributes: Map<String, Value>,
) -> Result<Box<dyn ImageWriter>> {
    let dtype = image.dtype();
    let names: Vec<Option<&str>> =
        image.axes().iter().map(|axis| Some(axis.name.as_str()).filter(|name| !name.is_empty())).collect();
    let fill = FillValue::new(vec![0; dtype.size()]);
    let array = ArrayBuilder::new(image.shape(), grid.chunk_shape(), dtype.numpy_name(), fill)
        .array_to_bytes_codec(Arc::new(BytesCodec::little()))
        .bytes_to_bytes_codecs(vec![Bounded::zstd()])
        .attributes(attributes)
        .dimension_names(names.iter().any(Option::is_some).then_some(names))
        .build(dir, path)
        .map_err(not_made)?;
    let options = ArrayMetadataOptions::default().with_include_zarrs_metadata(false);
    array.store_metadata_opt(&options).map_err(failed)?;
    let rows = ZarrRows { array, grid, options: on_this_thread() };
    Ok(Box::new(ChunkedWriter::new(image, grid.chunk_shape(), Box::new(rows))?))
}

fn not_made(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Internal, "the metadata can't be written").caused_by(error)
}

impl RowSink for ZarrRows {
    fn write_rows(&mut self, region: &Region, data: &[u8]) -> Result<()> {
        let (grid, size) = (&self.grid, self.grid.element_size());
        let chunks: Vec<_> = grid.chunks_in(region)?.collect();
        for_each_parallel(chunks.len(), 3 * grid.chunk_bytes(), Vec::new, |buffer: &mut Vec<u8>, index| {
            let chunk = grid.chunk_region(&chunks[index])?;
            let Some(overlap) = chunk.intersection(region) else { return Ok(()) };
            // What lies beyond the array's end is the fill value.
            if buffer.is_empty() {
                *buffer = zeroed(grid.chunk_bytes())?;
            } else {
                buffer.fill(0);
            }
            copy_region(data, region, buffer, &chunk, &overlap, size)?;
            native_order(size, buffer);
            let coords: Vec<u64> = chunks[index].iter().map(|at| u64::from(at.unsigned_abs())).collect();
            let elements = ArrayBytes::new_flen(buffer.as_slice());
            self.array.store_chunk_opt(&coords, elements, &self.options).map_err(failed)
        })
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.array.storage().finish_one()
    }
}
