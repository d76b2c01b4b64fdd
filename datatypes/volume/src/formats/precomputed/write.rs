//! Writes precomputed volumes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chunks::{DType, Grid, Region, copy_region, for_each_parallel, zeroed};
use engine_api::{Error, ErrorKind, Result};
use serde_json::Value;

use super::INFO;
use super::info::{Encoding, Info, Scale, chunk_name, is_known, reversed};
use crate::formats::CreateOptions;
use crate::formats::chunked::{ChunkedWriter, RowSink};
use crate::formats::compressed_segmentation::encode_compressed_segmentation;
use crate::formats::info::ImageInfo;
use crate::formats::io::ImageWriter;
use crate::formats::partial_dir::PartialDir;
use crate::formats::units::spacing_in;

/// The blocks of a segmentation whose file didn't say; Neuroglancer's own choice.
const BLOCK: [u64; 3] = [8, 8, 8];

struct PrecomputedRows {
    dir: Arc<PartialDir>,
    folder: PathBuf,
    grid: Grid,
    encoding: Encoding,
    voxel_offset: [i64; 3],
}

/// Creates a volume with a scale for each image: (z, y, x), all of one type; a `bool` is written as `u8`.
pub(in crate::formats) fn create_scales(
    path: &Path,
    images: &[ImageInfo],
    options: &CreateOptions,
) -> Result<Vec<Box<dyn ImageWriter>>> {
    let dtype = match images.first().map(ImageInfo::dtype) {
        Some(DType::Bool) => DType::U8,
        Some(dtype) if is_known(dtype) => dtype,
        found => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a precomputed volume can't hold elements of this type",
            )
            .with("type", format_args!("{found:?}")));
        }
    };
    let mut scales: Vec<Scale> = Vec::new();
    let mut sinks = Vec::new();
    let mut keys: Vec<String> = Vec::new();
    for image in images {
        let grid = grid_of(image, dtype, options)?;
        let fields = image.metadata.get("precomputed");
        let resolution = resolution_of(image);
        let mut key = resolution.map(|length| length.to_string()).join("_");
        if keys.contains(&key) {
            key = format!("{key}_{}", keys.len());
        }
        keys.push(key.clone());
        let encoding = encoding_of(fields, dtype, options)?;
        let voxel_offset = fields.and_then(|fields| triple(fields.get("voxel_offset")?)).unwrap_or_default();
        let scale = Scale::new(key, &grid, resolution, voxel_offset, encoding);
        sinks.push((PathBuf::from(scale.key()?), scale.grid(image)?, encoding, voxel_offset));
        scales.push(scale);
    }

    let said = images.first().and_then(|image| image.metadata.get("precomputed")?.get("type")?.as_str());
    let labels = sinks.iter().any(|(_, _, encoding, _)| *encoding != Encoding::Raw);
    let kind = if labels { "segmentation" } else { said.unwrap_or("image") };
    let text = serde_json::to_vec_pretty(&Info::new(kind, dtype, scales)).map_err(|error| {
        Error::new(ErrorKind::Internal, "the volume's description can't be written").caused_by(error)
    })?;
    let dir = Arc::new(PartialDir::create(path, images.len())?);
    dir.write(Path::new(INFO), &text)?;
    let mut writers: Vec<Box<dyn ImageWriter>> = Vec::new();
    for (image, (folder, grid, encoding, voxel_offset)) in images.iter().zip(sinks) {
        fs::create_dir(dir.path().join(&folder))
            .map_err(|error| Error::from_io(error, "a scale's folder can't be created"))?;
        let rows = PrecomputedRows { dir: Arc::clone(&dir), folder, grid, encoding, voxel_offset };
        writers.push(Box::new(ChunkedWriter::new(image, grid.chunk_shape(), Box::new(rows))?));
    }
    Ok(writers)
}

fn grid_of(image: &ImageInfo, dtype: DType, options: &CreateOptions) -> Result<Grid> {
    if image.shape().len() != 3 {
        return Err(Error::new(ErrorKind::Unsupported, "a precomputed volume has three axes: z, y, x")
            .with("shape", format_args!("{:?}", image.shape())));
    }
    if image.dtype() != dtype && image.dtype() != DType::Bool {
        return Err(Error::new(ErrorKind::InvalidArgument, "the scales are of different types")
            .with("first", dtype)
            .with("found", image.dtype()));
    }
    Grid::new(image.shape(), &options.chunk_shape_for(image), image.dtype())
}

/// x, y, z in nanometres. A spacing without a unit is written as it is, and where there is none, as 1.
fn resolution_of(image: &ImageInfo) -> [f64; 3] {
    let mut resolution = [1.0; 3];
    for (length, axis) in resolution.iter_mut().zip(image.axes().iter().rev()) {
        *length = spacing_in(axis, "nm").or(axis.spacing).unwrap_or(1.0);
    }
    resolution
}

/// As the options say, or else as the file that the image comes from had it.
fn encoding_of(fields: Option<&Value>, dtype: DType, options: &CreateOptions) -> Result<Encoding> {
    let labels = matches!(dtype, DType::U32 | DType::U64);
    if options.compressed_segmentation && !labels {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "compressed segmentation is of labels, which are u32 or u64",
        )
        .with("type", dtype));
    }
    let was = fields.and_then(|fields| fields.get("encoding")?.as_str()) == Some("compressed_segmentation");
    if !(options.compressed_segmentation || (was && labels)) {
        return Ok(Encoding::Raw);
    }
    let block = fields.and_then(|fields| triple(fields.get("compressed_segmentation_block_size")?));
    let block = block.map(|xyz| reversed(xyz).map(i64::unsigned_abs)).filter(|block| !block.contains(&0));
    Ok(Encoding::CompressedSegmentation(block.unwrap_or(BLOCK)))
}

fn triple(value: &Value) -> Option<[i64; 3]> {
    let [a, b, c] = value.as_array()?.as_slice() else { return None };
    Some([a.as_i64()?, b.as_i64()?, c.as_i64()?])
}

impl RowSink for PrecomputedRows {
    fn write_rows(&mut self, region: &Region, data: &[u8]) -> Result<()> {
        let (grid, size) = (&self.grid, self.grid.element_size());
        let chunks: Vec<_> = grid.chunks_in(region)?.collect();
        for_each_parallel(chunks.len(), 2 * grid.chunk_bytes(), Vec::new, |buffer: &mut Vec<u8>, index| {
            let Some(chunk) = grid.clipped_region(&chunks[index])? else { return Ok(()) };
            let bytes = chunk.bytes(size)?;
            if buffer.len() < bytes {
                *buffer = zeroed(grid.chunk_bytes())?;
            }
            let elements = &mut buffer[..bytes];
            copy_region(data, region, elements, &chunk, &chunk, size)?;
            let name = self.folder.join(chunk_name(&chunk, self.voxel_offset));
            match (self.encoding, chunk.shape()) {
                (Encoding::CompressedSegmentation(block), &[z, y, x]) => {
                    let encoded = encode_compressed_segmentation(grid.dtype(), [z, y, x], block, elements)?;
                    self.dir.write(&name, &encoded)
                }
                _ => self.dir.write(&name, elements),
            }
        })
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.dir.finish_one()
    }
}
