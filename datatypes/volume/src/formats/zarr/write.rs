//! Writes arrays and OME-Zarr images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chunks::{DType, Grid, Region, copy_region, for_each_parallel, zeroed};
use engine_api::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::METADATA;
use super::ome::Multiscale;
use crate::formats::CreateOptions;
use crate::formats::chunked::{ChunkedWriter, RowSink};
use crate::formats::info::ImageInfo;
use crate::formats::io::ImageWriter;
use crate::formats::partial_dir::PartialDir;

/// The level of zstd: its own default.
const LEVEL: i32 = 3;

struct ZarrRows {
    dir: Arc<PartialDir>,
    folder: PathBuf,
    grid: Grid,
}

/// Creates an array.
pub(in crate::formats) fn create_array(
    path: &Path,
    image: &ImageInfo,
    options: &CreateOptions,
) -> Result<Box<dyn ImageWriter>> {
    let grid = grid_of(image, options)?;
    let attributes = image.metadata.get("zarr").and_then(|fields| fields.get("attributes"));
    let text = text_of(&array_json(image, &grid, attributes))?;
    let dir = Arc::new(PartialDir::create(path, 1)?);
    dir.write(Path::new(METADATA), &text)?;
    let rows = ZarrRows { dir, folder: PathBuf::new(), grid };
    Ok(Box::new(ChunkedWriter::new(image, grid.chunk_shape(), Box::new(rows))?))
}

/// Creates an OME-Zarr image with a scale for each image.
pub(in crate::formats) fn create_ome(
    path: &Path,
    images: &[ImageInfo],
    options: &CreateOptions,
) -> Result<Vec<Box<dyn ImageWriter>>> {
    let group = text_of(&Multiscale::new(images)?.group())?;
    let grids = images.iter().map(|image| grid_of(image, options)).collect::<Result<Vec<_>>>()?;
    let dir = Arc::new(PartialDir::create(path, images.len())?);
    dir.write(Path::new(METADATA), &group)?;
    let mut writers: Vec<Box<dyn ImageWriter>> = Vec::new();
    for (scale, (image, grid)) in images.iter().zip(grids).enumerate() {
        let folder = PathBuf::from(scale.to_string());
        dir.write(&folder.join(METADATA), &text_of(&array_json(image, &grid, None))?)?;
        let rows = ZarrRows { dir: Arc::clone(&dir), folder, grid };
        writers.push(Box::new(ChunkedWriter::new(image, grid.chunk_shape(), Box::new(rows))?));
    }
    Ok(writers)
}

fn grid_of(image: &ImageInfo, options: &CreateOptions) -> Result<Grid> {
    Grid::new(image.shape(), &options.chunk_shape_for(image), image.dtype())
}

fn array_json(image: &ImageInfo, grid: &Grid, attributes: Option<&Value>) -> Value {
    let dtype = image.dtype();
    let names: Vec<Option<&str>> =
        image.axes().iter().map(|axis| Some(axis.name.as_str()).filter(|name| !name.is_empty())).collect();
    let fill = if dtype == DType::Bool { json!(false) } else { json!(0) };
    let mut array = json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": image.shape(),
        "data_type": dtype.numpy_name(),
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": grid.chunk_shape() } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
        "fill_value": fill,
        "codecs": [
            { "name": "bytes", "configuration": { "endian": "little" } },
            { "name": "zstd", "configuration": { "level": LEVEL, "checksum": false } },
        ],
        "attributes": attributes.filter(|value| value.is_object()).cloned().unwrap_or_else(|| json!({})),
    });
    if names.iter().any(Option::is_some) {
        array["dimension_names"] = json!(names);
    }
    array
}

fn text_of(json: &Value) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(json)
        .map_err(|error| Error::new(ErrorKind::Internal, "the metadata can't be written").caused_by(error))
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
            if grid.fill().fills(buffer) {
                return Ok(());
            }
            let encoded = zstd::bulk::compress(buffer, LEVEL).map_err(|error| {
                Error::new(ErrorKind::Internal, "a chunk can't be compressed").caused_by(error)
            })?;
            let mut name = self.folder.join("c");
            name.extend(chunks[index].iter().map(i32::to_string));
            self.dir.write(&name, &encoded)
        })
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.dir.finish_one()
    }
}
