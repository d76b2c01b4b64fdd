//! Regions of an array that become text, bytes, or an image.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use array_file::{ArrayMeta, AttributeValue};
use chunks::zeroed;
use engine_api::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;
use volume::{CreateOptions, Format, ImageAxis, ImageInfo, create_image_with, create_npy_parts};

use super::load::{SOURCE, SPACING, UNITS};
use super::numbers::npy_number;
use super::place::{Arrays, failed};
use super::values::{text_of, value_text};
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;

/// A part of an array.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) start: Vec<u64>,
    pub(super) shape: Vec<u64>,
}

impl Part {
    /// The part that a command line names, or the whole array.
    pub(super) fn of(meta: &ArrayMeta, region: Option<&str>) -> Result<Self> {
        let Some(text) = region else {
            return Ok(Self { start: vec![0; meta.shape.len()], shape: meta.shape.clone() });
        };
        let invalid = || {
            Error::new(ErrorKind::InvalidArgument, "a region is start:end per axis, such as 0:64,0:64,5:6")
                .with("region", text)
        };
        let mut part = Self { start: Vec::new(), shape: Vec::new() };
        for axis in text.split(',') {
            let (start, end) = axis.split_once(':').ok_or_else(invalid)?;
            let start: u64 = start.trim().parse().map_err(|_| invalid())?;
            let end: u64 = end.trim().parse().map_err(|_| invalid())?;
            part.start.push(start);
            part.shape.push(end.checked_sub(start).ok_or_else(invalid)?);
        }
        if part.start.len() != meta.shape.len() {
            return Err(failed(array_file::Error::WrongRank {
                expected: meta.shape.len(),
                actual: part.start.len(),
            }));
        }
        for (axis, length) in meta.shape.iter().enumerate() {
            let (start, end) = (part.start[axis], part.start[axis] + part.shape[axis]);
            if end > *length {
                return Err(failed(array_file::Error::OutOfBounds { axis, start, end, length: *length }));
            }
        }
        Ok(part)
    }

    pub(super) fn elements(&self) -> u64 {
        self.shape.iter().fold(1, |product, length| product.saturating_mul(*length))
    }

    /// Parts of it, one after another, that end where rows of chunks do.
    fn slabs(&self, rows: u64) -> impl Iterator<Item = Self> + '_ {
        let whole = self.shape.is_empty().then(|| self.clone());
        let first = self.start.first().copied().unwrap_or(0);
        let end = first + self.shape.first().copied().unwrap_or(0);
        let empty = self.elements() == 0;
        let mut at = first;
        let slabs = std::iter::from_fn(move || {
            if at >= end || empty {
                return None;
            }
            let next = (at - at % rows).saturating_add(rows).min(end);
            let mut slab = self.clone();
            slab.start[0] = at;
            slab.shape[0] = next - at;
            at = next;
            Some(slab)
        });
        whole.into_iter().chain(slabs)
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (axis, (start, length)) in self.start.iter().zip(&self.shape).enumerate() {
            write!(f, "{}{start}:{}", if axis == 0 { "" } else { "," }, start + length)?;
        }
        Ok(())
    }
}

/// Hands the elements of a part to `sink`, some slices at a time, as bytes: C order, little-endian.
fn for_each_slab(
    arrays: &Arrays,
    meta: &ArrayMeta,
    part: &Part,
    output: Output,
    mut sink: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let size = meta.dtype.element_size().ok_or_else(|| no_fixed_size(meta))?;
    let rows = meta.chunk_shape.first().copied().unwrap_or(1);
    let bar = output.progress(part.shape.first().copied().unwrap_or(1), "reading");
    let careful = Careful::begin();
    let mut buffer = Vec::new();
    for slab in part.slabs(rows) {
        let bytes = usize::try_from(slab.elements()).ok().and_then(|elements| elements.checked_mul(size));
        let bytes = bytes.ok_or_else(|| {
            Error::new(ErrorKind::TooLarge, "a row of chunks doesn't fit memory").with("region", &slab)
        })?;
        if bytes > buffer.capacity() {
            buffer = zeroed(bytes)?;
        }
        buffer.resize(bytes, 0);
        arrays.place.wait(arrays.file.read_bytes(&meta.name, &slab.start, &slab.shape, &mut buffer))?;
        sink(&buffer)?;
        bar.inc(slab.shape.first().copied().unwrap_or(1));
        careful.check()?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn no_fixed_size(meta: &ArrayMeta) -> Error {
    Error::new(ErrorKind::Unsupported, "elements of this type have no fixed size; they are read as text only")
        .with("array", &meta.name)
        .with("dtype", &meta.dtype)
}

/// Hands the text of each element of a part to `sink`, in C order.
pub(super) fn for_each_text(
    arrays: &Arrays,
    meta: &ArrayMeta,
    part: &Part,
    output: Output,
    mut sink: impl FnMut(String) -> Result<()>,
) -> Result<()> {
    let no_text = || {
        Error::new(ErrorKind::Unsupported, "elements of this type have no text")
            .with("array", &meta.name)
            .with("dtype", &meta.dtype)
    };
    if let Some(size) = meta.dtype.element_size() {
        return for_each_slab(arrays, meta, part, output, |bytes| {
            let text = |cell: &[u8]| text_of(&meta.dtype, cell).ok_or_else(no_text);
            bytes.chunks_exact(size.max(1)).try_for_each(|cell| sink(text(cell)?))
        });
    }
    for slab in part.slabs(meta.chunk_shape.first().copied().unwrap_or(1)) {
        let values = arrays.file.read_values(&meta.name, &slab.start, &slab.shape);
        for value in arrays.place.wait(values)? {
            sink(value_text(&meta.dtype, &value).ok_or_else(no_text)?)?;
        }
    }
    Ok(())
}

/// Writes a part's elements as they are to a file, or to standard output where there is none.
pub(super) fn save_raw(
    arrays: &Arrays,
    meta: &ArrayMeta,
    part: &Part,
    file: Option<&Path>,
    output: Output,
) -> Result<()> {
    let write = |out: &mut dyn Write| -> Result<()> {
        for_each_slab(arrays, meta, part, output, |bytes| out.write_all(bytes).map_err(not_written))?;
        out.flush().map_err(not_written)
    };
    let Some(file) = file else {
        return match write(&mut BufWriter::new(io::stdout().lock())) {
            // A reader that went away, such as `head`, has what it wanted.
            Err(error) if is_broken_pipe(&error) => Ok(()),
            outcome => outcome,
        };
    };
    // It has its name only when it is whole.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = NamedTempFile::new_in(folder).map_err(not_written)?;
    write(&mut BufWriter::new(temporary.as_file()))?;
    temporary.as_file().sync_all().map_err(not_written)?;
    temporary.persist(file).map_err(|error| not_written(error.error))?;
    Ok(())
}

fn is_broken_pipe(error: &Error) -> bool {
    let below = std::error::Error::source(error).and_then(|below| below.downcast_ref::<io::Error>());
    below.is_some_and(|below| below.kind() == io::ErrorKind::BrokenPipe)
}

fn not_written(error: io::Error) -> Error {
    Error::from_io(error, "the elements can't be written")
}

/// Writes a part of an array as an image.
pub(super) fn save_image(
    arrays: &Arrays,
    meta: &ArrayMeta,
    part: &Part,
    (file, options): (&Path, CreateOptions),
    output: Output,
) -> Result<()> {
    let npy = options.format.or_else(|| Format::from_name(file)) == Some(Format::Npy);
    let mut writer = match npy_number(&meta.dtype).filter(|_| npy) {
        Some(number) => create_npy_parts(file, number, &part.shape)?,
        None => create_image_with(file, &image_of(meta, part)?, options)?,
    };
    for_each_slab(arrays, meta, part, output, |bytes| writer.write_slab(bytes))?;
    writer.finish()
}

/// Writes a part of an array as an image to standard output.
pub(super) fn stream_image(
    arrays: &Arrays,
    meta: &ArrayMeta,
    part: &Part,
    options: CreateOptions,
    output: Output,
) -> Result<()> {
    // A writer goes back to its header in the end, which a pipe can't.
    let folder = tempfile::tempdir().map_err(not_written)?;
    let file = folder.path().join("image");
    save_image(arrays, meta, part, (&file, options), output)?;
    let copied = File::open(&file).and_then(|mut file| io::copy(&mut file, &mut io::stdout().lock()));
    match copied {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(not_written(error)),
        _ => Ok(()),
    }
}

/// What an image of a part says of itself: the axes' names and spacings, and for the whole of an array all that the
/// image said that it was imported from.
fn image_of(meta: &ArrayMeta, part: &Part) -> Result<ImageInfo> {
    let dtype = meta.dtype.as_chunks().ok_or_else(|| {
        Error::new(
            ErrorKind::Unsupported,
            "images have no elements of this type; .raw and text have, and .npy has f16 and complex numbers",
        )
        .with("array", &meta.name)
        .with("dtype", &meta.dtype)
    })?;
    let list = |name: &str, axis: usize| match meta.attributes.get(name) {
        Some(AttributeValue::List(values)) if values.len() == meta.shape.len() => values.get(axis),
        _ => None,
    };
    let axes = meta.dimension_names.iter().enumerate().map(|(axis, name)| ImageAxis {
        name: name.clone(),
        spacing: match list(SPACING, axis) {
            Some(AttributeValue::Float64(spacing)) if spacing.is_finite() => Some(*spacing),
            _ => None,
        },
        unit: match list(UNITS, axis) {
            Some(AttributeValue::String(unit)) if !unit.is_empty() => Some(unit.clone()),
            _ => None,
        },
    });
    let info = ImageInfo::new(&part.shape, dtype)?;
    let named = meta.dimension_names.iter().enumerate().all(|(axis, name)| *name != format!("dim{axis}"));
    let mut info = if named { info.with_axes(axes.collect())? } else { info };
    if part.shape == meta.shape
        && let Some(AttributeValue::String(source)) = meta.attributes.get(SOURCE)
        && let Ok(serde_json::Value::Object(metadata)) = serde_json::from_str(source)
    {
        info.metadata = metadata;
    }
    Ok(info)
}
