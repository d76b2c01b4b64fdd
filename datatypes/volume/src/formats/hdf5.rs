//! Writes an image as one dataset of an HDF5 file.
//!
//! Chunks are compressed on several threads, each once its row of chunks is there; what is kept in memory beyond that
//! is where chunks are. The library finishes the file's metadata when it is closed. A chunk of zeros isn't stored.

use std::path::Path;

use chunks::{DType, Grid, Region, copy_region, for_each_parallel, zeroed};
use engine_api::embedded::contain;
use engine_api::{Error, ErrorKind, Result};
use rust_hdf5::format::messages::filter::apply_filters;
use rust_hdf5::{
    FilterPipeline, H5Dataset, H5File, H5Group, H5Type, HBool, Hdf5Error, LibverBound, VarLenUnicode,
};
use serde_json::Value;

use super::chunked::{ChunkedWriter, RowSink};
use super::create::{Compression, CreateOptions};
use super::info::{ImageAxis, ImageInfo};
use super::io::ImageWriter;
use super::partial_file::PartialFile;
use super::variables::os_error;

/// Attributes that keep what an image says of its axes: names and units with commas between them, and numbers.
pub(super) const AXES: &str = "axes";
pub(super) const UNITS: &str = "units";
pub(super) const SPACING: &str = "spacing";

/// What a dataset is called that nobody has named.
const DEFAULT_NAME: &str = "/volume";

struct Hdf5Rows {
    // Closed before the file gets its name.
    dataset: H5Dataset,
    library: H5File,
    file: PartialFile,
    grid: Grid,
    pipeline: Option<FilterPipeline>,
}

pub(super) fn create(
    path: &Path,
    image: &ImageInfo,
    options: &CreateOptions,
) -> Result<Box<dyn ImageWriter>> {
    let names = names_of(options.dataset.as_deref().unwrap_or(DEFAULT_NAME))?;
    // Chunks can't reach beyond the dataset.
    let mut chunk_shape = options.chunk_shape_for(image);
    for (chunk, extent) in chunk_shape.iter_mut().zip(image.shape()) {
        *chunk = (*chunk).min(*extent);
    }
    let grid = Grid::new(image.shape(), &chunk_shape, image.dtype())?;
    let size = u32::try_from(grid.element_size()).unwrap_or(8);
    let pipeline = match options.compression {
        None | Some(Compression::None) => None,
        Some(Compression::Deflate(level)) if size > 1 => {
            Some(FilterPipeline::shuffle_deflate(size, level.get().into()))
        }
        Some(Compression::Deflate(level)) => Some(FilterPipeline::deflate(level.get().into())),
    };
    let file = PartialFile::create(path)?;
    let (library, dataset) = contain(|| {
        let library = H5File::options()
            .best_effort_locking()
            .libver(LibverBound::Earliest)
            .create(file.path())
            .map_err(write_failed)?;
        let dataset = define_any(&library, &names, &grid, pipeline.as_ref())?;
        describe(&dataset, image.axes())?;
        put_back(&dataset, image)?;
        Ok((library, dataset))
    })?;
    let rows = Hdf5Rows { dataset, library, file, grid, pipeline };
    Ok(Box::new(ChunkedWriter::new(image, grid.chunk_shape(), Box::new(rows))?))
}

/// The groups of a dataset's path, and its own name.
fn names_of(path: &str) -> Result<Vec<&str>> {
    let names: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    if names.iter().any(|name| name.is_empty() || *name == "." || *name == ".." || name.contains('\0')) {
        return Err(Error::new(ErrorKind::InvalidArgument, "a dataset is named as a file is, /group/name")
            .with("dataset", path));
    }
    Ok(names)
}

fn define_any(
    library: &H5File,
    names: &[&str],
    grid: &Grid,
    pipeline: Option<&FilterPipeline>,
) -> Result<H5Dataset> {
    match grid.dtype() {
        DType::Bool => define::<HBool>(library, names, grid, pipeline),
        DType::U8 => define::<u8>(library, names, grid, pipeline),
        DType::U16 => define::<u16>(library, names, grid, pipeline),
        DType::U32 => define::<u32>(library, names, grid, pipeline),
        DType::U64 => define::<u64>(library, names, grid, pipeline),
        DType::I8 => define::<i8>(library, names, grid, pipeline),
        DType::I16 => define::<i16>(library, names, grid, pipeline),
        DType::I32 => define::<i32>(library, names, grid, pipeline),
        DType::I64 => define::<i64>(library, names, grid, pipeline),
        DType::F32 => define::<f32>(library, names, grid, pipeline),
        DType::F64 => define::<f64>(library, names, grid, pipeline),
    }
}

fn define<T: H5Type>(
    library: &H5File,
    names: &[&str],
    grid: &Grid,
    pipeline: Option<&FilterPipeline>,
) -> Result<H5Dataset> {
    let narrow = |lengths: &[u64]| -> Result<Vec<usize>> {
        let narrowed: Option<Vec<usize>> =
            lengths.iter().map(|length| usize::try_from(*length).ok()).collect();
        narrowed.ok_or_else(|| Error::new(ErrorKind::TooLarge, "the image is too large for this machine"))
    };
    let Some((name, groups)) = names.split_last() else {
        return Err(Error::new(ErrorKind::InvalidArgument, "the dataset has no name"));
    };
    let mut group: Option<H5Group> = None;
    for name in groups {
        let made = match &group {
            Some(group) => group.create_group(name),
            None => library.create_group(name),
        };
        group = Some(made.map_err(write_failed)?);
    }
    let builder = match &group {
        Some(group) => group.new_dataset::<T>(),
        None => library.new_dataset::<T>(),
    };
    let builder = builder.shape(narrow(grid.shape())?).chunk(&narrow(grid.chunk_shape())?);
    let builder = match pipeline {
        Some(pipeline) => builder.filter_pipeline(pipeline.clone()),
        None => builder,
    };
    builder.create(name).map_err(write_failed)
}

/// Attributes of the axes, and HDF5's own of their names.
fn describe(dataset: &H5Dataset, axes: &[ImageAxis]) -> Result<()> {
    let text = |name: &str, value: &str| {
        let attribute = dataset.new_attr::<VarLenUnicode>().shape(()).create(name);
        attribute.and_then(|attribute| attribute.write_string(value)).map_err(write_failed)
    };
    let names: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
    if names.iter().any(|name| !name.is_empty()) && !names.iter().any(|name| name.contains(',')) {
        text(AXES, &names.join(","))?;
        let labels = dataset.new_attr::<VarLenUnicode>().shape([names.len()]).create("DIMENSION_LABELS");
        labels.and_then(|labels| labels.write_string_array(&names)).map_err(write_failed)?;
    }
    let units: Vec<&str> = axes.iter().map(|axis| axis.unit.as_deref().unwrap_or_default()).collect();
    if units.iter().any(|unit| !unit.is_empty()) {
        text(UNITS, &units.join(","))?;
    }
    if axes.iter().any(|axis| axis.spacing.is_some()) {
        let spacings: Vec<f64> = axes.iter().map(|axis| axis.spacing.unwrap_or(f64::NAN)).collect();
        let attribute = dataset.new_attr::<f64>().shape([spacings.len()]).create(SPACING);
        attribute.and_then(|attribute| attribute.write_array(&spacings)).map_err(write_failed)?;
    }
    Ok(())
}

/// Attributes that an image kept from the HDF5 file that it was read from.
fn put_back(dataset: &H5Dataset, image: &ImageInfo) -> Result<()> {
    let kept = image.metadata.get("hdf5").and_then(|fields| fields.get("attributes")?.as_object());
    for (name, value) in kept.into_iter().flatten() {
        // The axes' own are written already.
        if [AXES, UNITS, SPACING].contains(&name.as_str()) && is_written(image, name) {
            continue;
        }
        write_json(dataset, name, value)?;
    }
    Ok(())
}

/// Whether an attribute of the axes is written for an image.
fn is_written(image: &ImageInfo, name: &str) -> bool {
    match name {
        AXES => image.axes().iter().any(|axis| !axis.name.is_empty()),
        UNITS => image.axes().iter().any(|axis| axis.unit.as_ref().is_some_and(|unit| !unit.is_empty())),
        _ => image.axes().iter().any(|axis| axis.spacing.is_some()),
    }
}

/// The most values of an attribute: a header has no room for 64 KiB, and texts take 16 bytes each.
const MOST_VALUES: usize = 4000;

/// Writes texts and numbers, alone or several of a kind; HDF5 has nothing for the rest of JSON, nor for very many.
fn write_json(dataset: &H5Dataset, name: &str, value: &Value) -> Result<()> {
    let values: &[Value] = match value {
        Value::Array(values) => values,
        other => std::slice::from_ref(other),
    };
    let shape: Vec<usize> = if value.is_array() { vec![values.len()] } else { Vec::new() };
    let fits = (1..=MOST_VALUES).contains(&values.len());
    let all = |is: fn(&Value) -> bool| fits && values.iter().all(is);
    if all(Value::is_string) {
        let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        let attribute = dataset.new_attr::<VarLenUnicode>().shape(shape).create(name);
        attribute.and_then(|attribute| match texts.as_slice() {
            [text] if !value.is_array() => attribute.write_string(text),
            _ => attribute.write_string_array(&texts),
        })
    } else if all(Value::is_i64) {
        let numbers: Vec<i64> = values.iter().filter_map(Value::as_i64).collect();
        let attribute = dataset.new_attr::<i64>().shape(shape).create(name);
        attribute.and_then(|attribute| attribute.write_array(&numbers))
    } else if all(Value::is_u64) {
        let numbers: Vec<u64> = values.iter().filter_map(Value::as_u64).collect();
        let attribute = dataset.new_attr::<u64>().shape(shape).create(name);
        attribute.and_then(|attribute| attribute.write_array(&numbers))
    } else if all(Value::is_number) {
        let numbers: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
        let attribute = dataset.new_attr::<f64>().shape(shape).create(name);
        attribute.and_then(|attribute| attribute.write_array(&numbers))
    } else {
        Ok(())
    }
    .map_err(write_failed)
}

impl RowSink for Hdf5Rows {
    fn write_rows(&mut self, region: &Region, data: &[u8]) -> Result<()> {
        let (grid, size) = (&self.grid, self.grid.element_size());
        let chunks: Vec<_> = grid.chunks_in(region)?.collect();
        for_each_parallel(chunks.len(), 3 * grid.chunk_bytes(), Vec::new, |buffer: &mut Vec<u8>, index| {
            let chunk = grid.chunk_region(&chunks[index])?;
            let Some(overlap) = chunk.intersection(region) else { return Ok(()) };
            if buffer.is_empty() {
                *buffer = zeroed(grid.chunk_bytes())?;
            } else {
                buffer.fill(0);
            }
            copy_region(data, region, buffer, &chunk, &overlap, size)?;
            if grid.fill().fills(buffer) {
                return Ok(());
            }
            // The image begins at the origin, so that none is negative.
            let at: Vec<usize> =
                chunks[index].iter().map(|at| usize::try_from(*at).unwrap_or_default()).collect();
            contain(|| match &self.pipeline {
                Some(pipeline) => {
                    let stored =
                        apply_filters(pipeline, buffer).map_err(|error| write_failed(error.into()))?;
                    self.dataset.write_chunk_raw_at(&at, &stored, 0).map_err(write_failed)
                }
                None => self.dataset.write_chunk_at(&at, buffer).map_err(write_failed),
            })
        })
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self { dataset, library, file, .. } = *self;
        contain(|| {
            drop(dataset);
            library.close_no_sync().map_err(write_failed)
        })?;
        file.commit()
    }
}

fn write_failed(error: Hdf5Error) -> Error {
    const MESSAGE: &str = "the HDF5 file can't be written";
    match os_error(&error) {
        Some(io) => Error::from_io(io, MESSAGE),
        None => Error::new(ErrorKind::Internal, MESSAGE).caused_by(error),
    }
}
