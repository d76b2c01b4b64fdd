//! Images that become elements of an array, a bounded part at a time.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::Range;
use std::path::{Path, PathBuf};

use array_file::{AttributeValue, DType};
use chunks::{Codec, Region, zeroed};
use engine_api::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;
#[cfg(feature = "hdf5")]
use volume::Variables;
use volume::{Format, ImageInfo, ImageReader, NpyNumber, RegionReader, open_npy_parts, split_dataset};

use super::json_elements::JsonElements;
use super::place::{Arrays, failed};
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;
use crate::cli::volume::import::{self, Image};

/// What is read and written at once, where a chunk isn't more.
const AT_ONCE: u64 = 64 << 20;

/// The attributes that keep what an image says of its place in space.
pub(super) const SPACING: &str = "spacing";
pub(super) const UNITS: &str = "units";
pub(super) const SOURCE: &str = "source";

/// The image that a command line names, and how to read it.
#[derive(Debug, clap::Args)]
pub(super) struct ImageArgs {
    /// The image: .npy, .nii, .nii.gz, .tif, .ome.tif, .h5, .nc, .raw with --shape and --dtype, or a folder: .zarr,
    /// .ome.zarr, .precomputed. `-` reads one from standard input.
    pub(super) image: PathBuf,
    /// The shape of a raw file, slowest axis first.
    #[arg(long, value_name = "Z,Y,X", value_delimiter = ',', requires = "dtype")]
    shape: Option<Vec<u64>>,
    /// The type of a raw file's elements, little-endian, of a fixed size: u8 to u64, i8 to i64, f16 to f64, bool, complex64,
    /// complex128, timestamp[ns], list<u8, 3> and the like; and of elements in JSON, which `write` takes, any.
    #[arg(long)]
    dtype: Option<String>,
    /// How what is written is compressed: none, lz4, zstd:1 to zstd:22, each with or without +shuffle.
    #[arg(long, default_value = "zstd:1+shuffle")]
    codec: String,
}

/// An image that is open.
pub(super) struct Input {
    /// Of the elements, or of the numbers that they are made of.
    pub(super) image: Image,
    /// The type of the elements.
    pub(super) dtype: DType,
    /// What came from standard input, which is removed in the end.
    _spooled: Option<NamedTempFile>,
}

impl Input {
    /// The shape in elements.
    pub(super) fn shape(&self) -> &[u64] {
        let shape = self.image.info().shape();
        let parted = parts_of(&self.dtype).is_some_and(|(_, parts)| parts.is_some());
        if parted { shape.split_last().map_or(shape, |(_, shape)| shape) } else { shape }
    }

    /// The names of the axes; none where one has none, or two have the same.
    pub(super) fn axis_names(&self) -> Vec<String> {
        let axes = self.image.info().axes().iter().take(self.shape().len());
        let names: Vec<String> = axes.map(|axis| axis.name.clone()).collect();
        let distinct =
            (0..names.len()).all(|axis| !names[axis].is_empty() && !names[..axis].contains(&names[axis]));
        if distinct { names } else { Vec::new() }
    }
}

/// What elements are written from.
pub(super) enum Source {
    Image(Input),
    Json(JsonElements),
}

impl ImageArgs {
    /// Opens the image before anything else is touched, so that a bad file changes nothing.
    pub(super) fn open(&self) -> Result<Input> {
        let spooled = if self.is_piped() { Some(spool()?) } else { None };
        self.open_image(spooled)
    }

    /// The same of elements in JSON too, which are known by the name of their file, and by how they begin where they
    /// have none.
    pub(super) fn open_any(&self) -> Result<Source> {
        if !self.is_piped() {
            return if self.image.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
                JsonElements::read(&self.image).map(Source::Json)
            } else {
                self.open().map(Source::Image)
            };
        }
        let spooled = spool()?;
        if self.shape.is_none() && begins_as_json(spooled.path())? {
            return JsonElements::read(spooled.path()).map(Source::Json);
        }
        self.open_image(Some(spooled)).map(Source::Image)
    }

    fn open_image(&self, spooled: Option<NamedTempFile>) -> Result<Input> {
        if self.shape.is_none() && self.dtype.is_some() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a raw file's type is said with its --shape"));
        }
        let path = spooled.as_ref().map_or(self.image.as_path(), NamedTempFile::path);
        let (shape, dtype) = (self.shape.clone(), self.dtype()?);
        let parted = dtype.as_ref().and_then(|dtype| Some((dtype.clone(), parts_of(dtype)?)));
        if let Some((dtype, (number, parts))) = parted {
            let shape = shape.map(|shape| shape.into_iter().chain(parts).collect());
            let options =
                import::Options { shape, dtype: Some(number.to_string()), ..import::Options::default() };
            return Ok(Input { image: import::open(path, &options)?, dtype, _spooled: spooled });
        }
        if shape.is_none()
            && Format::of(path).is_ok_and(|format| format == Format::Npy)
            && let Some((number, parts)) = open_npy_parts(path)?
        {
            let dtype = type_of(number)?;
            return Ok(Input { image: Image::Regions(parts, String::new()), dtype, _spooled: spooled });
        }
        let options = import::Options { shape, dtype: self.dtype.clone(), ..import::Options::default() };
        let image = import::open(path, &options)?;
        let dtype = DType::from(image.info().dtype());
        Ok(Input { image, dtype, _spooled: spooled })
    }

    fn is_piped(&self) -> bool {
        self.image.as_os_str() == "-"
    }

    /// The type that the command line says.
    pub(super) fn dtype(&self) -> Result<Option<DType>> {
        self.dtype.as_deref().map(|dtype| dtype.parse().map_err(failed)).transpose()
    }

    /// Whether it is a file of several arrays that have names.
    pub(super) fn holds_variables(&self) -> bool {
        !self.is_piped()
            && matches!(Format::of(&split_dataset(&self.image).0), Ok(Format::Hdf5 | Format::NetCdf))
    }

    pub(super) fn codec(&self) -> Result<Codec> {
        self.codec.parse()
    }

    /// The name of the image, for answers.
    pub(super) fn name(&self) -> String {
        self.image.display().to_string()
    }
}

/// Keeps what comes from standard input in a file: images are read at many places.
fn spool() -> Result<NamedTempFile> {
    let failed = |error| Error::from_io(error, "standard input can't be kept in a temporary file");
    let mut file = NamedTempFile::new().map_err(failed)?;
    io::copy(&mut io::stdin().lock(), file.as_file_mut()).map_err(failed)?;
    file.as_file_mut().rewind().map_err(failed)?;
    Ok(file)
}

/// The numbers that elements of a type are made of, where images don't have the type; and how many of them an element has, if
/// more than one.
pub(super) fn parts_of(dtype: &DType) -> Option<(chunks::DType, Option<u64>)> {
    match dtype {
        DType::FixedSizeList { child, size } => Some((child.as_chunks()?, Some(u64::from(*size)))),
        DType::TimestampNs => Some((chunks::DType::I64, None)),
        _ => npy_number(dtype).map(NpyNumber::parts),
    }
}

/// The number of a NumPy array that elements of a type are, where images don't have the type.
pub(super) fn npy_number(dtype: &DType) -> Option<NpyNumber> {
    match dtype {
        DType::Float16 => Some(NpyNumber::Float16),
        DType::Complex64 => Some(NpyNumber::Complex64),
        DType::Complex128 => Some(NpyNumber::Complex128),
        _ => None,
    }
}

fn type_of(number: NpyNumber) -> Result<DType> {
    let types = [DType::Float16, DType::Complex64, DType::Complex128];
    types.into_iter().find(|dtype| npy_number(dtype) == Some(number)).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "no array has elements of the type")
            .with("type", format_args!("{number:?}"))
    })
}

/// Whether a file begins as a list or an object does, and no image.
fn begins_as_json(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let file = File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
    file.map_err(|error| Error::from_io(error, "standard input can't be read again"))?;
    Ok(matches!(start.trim_ascii_start().first(), Some(b'[' | b'{')))
}

/// Gives an array the attributes that keep what an image says of its place in space.
pub(super) fn describe(arrays: &mut Arrays, array: &str, info: &ImageInfo) -> Result<()> {
    let mut set =
        |name: &str, value: AttributeValue| arrays.file.set_attribute(array, name, value).map_err(failed);
    if info.axes().iter().any(|axis| axis.spacing.is_some()) {
        let spacings = info.axes().iter().map(|axis| axis.spacing.unwrap_or(f64::NAN).into());
        set(SPACING, AttributeValue::List(spacings.collect()))?;
    }
    if info.axes().iter().any(|axis| axis.unit.is_some()) {
        let units = info.axes().iter().map(|axis| axis.unit.clone().unwrap_or_default().into());
        set(UNITS, AttributeValue::List(units.collect()))?;
    }
    if !info.metadata.is_empty() {
        let source = serde_json::Value::Object(info.metadata.clone()).to_string();
        set(SOURCE, source.into())?;
    }
    Ok(())
}

/// The chunk shape of an image that is stored in chunks, where ours may well have it too.
pub(super) fn chunks_of(image: &Image) -> Option<Vec<u64>> {
    let Image::Regions(reader, _) = image else { return None };
    fitting(reader.chunk_shape()?, reader.info().dtype())
}

/// A chunk shape of others, where ours may well be it too.
pub(super) fn fitting(shape: &[u64], dtype: chunks::DType) -> Option<Vec<u64>> {
    let size = u64::try_from(dtype.size()).unwrap_or(8);
    let bytes = shape.iter().fold(size, |bytes, length| bytes.saturating_mul(*length));
    ((64 << 10)..=(16 << 20)).contains(&bytes).then(|| shape.to_vec())
}

/// Writes an image's elements to an array, the first to `start`. They are pending.
pub(super) fn load(
    arrays: &mut Arrays,
    array: &str,
    start: &[u64],
    input: Input,
    output: Output,
) -> Result<Region> {
    let meta = arrays.file.get_array(array).map_err(failed)?;
    let (dtype, array_shape, chunk_shape) =
        (meta.dtype.clone(), meta.shape.clone(), meta.chunk_shape.clone());
    // Elements are written as bytes, so whose they are is looked at here. Times are integers to NumPy.
    let number = dtype.as_chunks();
    if dtype != input.dtype && (number.is_none() || number != input.dtype.as_chunks()) {
        return Err(failed(array_file::Error::DTypeMismatch { expected: dtype, actual: input.dtype }));
    }
    let (shape, info) = (input.shape().to_vec(), input.image.info().clone());
    let region = target(&array_shape, start, &shape)?;
    let mut target = Target { arrays, array, start, chunk_shape: &chunk_shape, buffer: Vec::new() };
    let bar = output.progress(info.total_bytes(), "writing");
    let careful = Careful::begin();
    let mut watch = |bytes: usize| {
        bar.inc(u64::try_from(bytes).unwrap_or(0));
        careful.check()
    };
    match input.image {
        Image::Slabs(mut reader) => target.write_slabs(&mut *reader, &shape, &mut watch),
        Image::Regions(reader, _) => target.write_boxes(&*reader, &shape, &mut watch),
    }?;
    bar.finish_and_clear();
    Ok(region)
}

/// Writes all elements of a file's array to an array that is as large, and answers their bytes. They are pending.
#[cfg(feature = "hdf5")]
pub(super) fn load_variable(
    arrays: &mut Arrays,
    array: &str,
    (file, index): (&Variables, usize),
    output: Output,
) -> Result<u64> {
    let (shape, dtype) = (file.list()[index].shape.clone(), file.list()[index].dtype);
    let size = u64::try_from(dtype.size()).unwrap_or(8);
    let bytes = shape.iter().fold(size, |bytes, length| bytes.saturating_mul(*length));
    let chunk_shape = arrays.file.get_array(array).map_err(failed)?.chunk_shape.clone();
    let start = vec![0; shape.len()];
    let mut target = Target { arrays, array, start: &start, chunk_shape: &chunk_shape, buffer: Vec::new() };
    let bar = output.progress(bytes, "writing");
    let careful = Careful::begin();
    let mut read = |start: &[u64], shape: &[u64], out: &mut [u8]| file.read(index, start, shape, out);
    target.write_parts(&shape, dtype.size(), &mut read, &mut |bytes| {
        bar.inc(u64::try_from(bytes).unwrap_or(0));
        careful.check()
    })?;
    bar.finish_and_clear();
    Ok(bytes)
}

/// The part of an array that an image goes to.
fn target(shape: &[u64], start: &[u64], extent: &[u64]) -> Result<Region> {
    if start.len() != shape.len() || extent.len() != shape.len() {
        return Err(Error::new(ErrorKind::InvalidArgument, "the numbers of axes differ")
            .with("array", shape.len())
            .with("image", extent.len())
            .with("offset", start.len()));
    }
    let fits = (0..shape.len())
        .all(|axis| start[axis].checked_add(extent[axis]).is_some_and(|end| end <= shape[axis]));
    let offset: Option<Vec<i64>> = start.iter().map(|start| i64::try_from(*start).ok()).collect();
    match offset.filter(|_| fits) {
        Some(offset) => Region::new(&offset, extent),
        None => Err(Error::new(ErrorKind::InvalidArgument, "the image reaches beyond the array")
            .with("array", format_args!("{shape:?}"))
            .with("image", format_args!("{extent:?}"))
            .with("offset", format_args!("{start:?}"))),
    }
}

/// Reads a part: where it begins, how far it reaches, and where its elements go.
type ReadPart<'a> = dyn FnMut(&[u64], &[u64], &mut [u8]) -> Result<()> + 'a;

struct Target<'a> {
    arrays: &'a mut Arrays,
    array: &'a str,
    start: &'a [u64],
    chunk_shape: &'a [u64],
    buffer: Vec<u8>,
}

impl Target<'_> {
    /// Writes an image that is read from front to back: rows of chunks, or less where that is too much.
    fn write_slabs(
        &mut self,
        reader: &mut dyn ImageReader,
        shape: &[u64],
        watch: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        let info = reader.info().clone();
        let slice = u64::try_from(info.slice_bytes()?).unwrap_or(u64::MAX).max(1);
        let rows = step(self.chunk_shape.first().copied().unwrap_or(1), slice);
        // A row of chunks of a very wide image is written in parts, which costs chunks that are written again.
        let most = (4 * AT_ONCE / slice).max(1);
        let first = self.start.first().copied().unwrap_or(0);
        let mut done = 0;
        while done < info.slices() {
            let slices = (rows - (first + done) % rows).min(most).min(info.slices() - done);
            self.resize(info.slab_bytes(slices)?)?;
            if reader.next_slab(&mut self.buffer)? != slices {
                return Err(Error::new(ErrorKind::Corrupt, "the image ends too early").with("slice", done));
            }
            let mut part: Vec<Range<u64>> = shape.iter().map(|length| 0..*length).collect();
            part[0] = done..done + slices;
            self.put(&part)?;
            watch(self.buffer.len())?;
            done += slices;
        }
        Ok(())
    }

    /// Writes an image that is read in any order: boxes of whole chunks.
    fn write_boxes(
        &mut self,
        reader: &dyn RegionReader,
        shape: &[u64],
        watch: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        // Numbers that make up an element lie along a further axis, and are read together.
        let parts = &reader.info().shape()[shape.len()..];
        let count = parts.iter().try_fold(reader.info().dtype().size(), |size, parts| {
            size.checked_mul(usize::try_from(*parts).ok()?)
        });
        let size = count.ok_or_else(|| Error::new(ErrorKind::TooLarge, "an element doesn't fit memory"))?;
        let mut read = |start: &[u64], shape: &[u64], out: &mut [u8]| {
            let offset: Vec<i64> =
                start.iter().map(|start| start.cast_signed()).chain(parts.iter().map(|_| 0)).collect();
            reader.read_region(&Region::new(&offset, &[shape, parts].concat())?, out)
        };
        self.write_parts(shape, size, &mut read, watch)
    }

    /// Writes boxes of whole chunks, which `read` reads.
    fn write_parts(
        &mut self,
        shape: &[u64],
        size: usize,
        read: &mut ReadPart<'_>,
        watch: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        if shape.contains(&0) {
            return Ok(());
        }
        if shape.is_empty() {
            self.resize(size)?;
            read(&[], &[], &mut self.buffer)?;
            return self.put(&[]);
        }
        let steps = self.steps(shape, u64::try_from(size).unwrap_or(8));
        let start = self.start.to_vec();
        let mut part: Vec<Range<u64>> = Vec::new();
        while next_box(&mut part, shape, |axis, at| {
            let into = start[axis] + at;
            (into - into % steps[axis]).saturating_add(steps[axis]) - start[axis]
        }) {
            let offset: Vec<u64> = part.iter().map(|axis| axis.start).collect();
            let extent: Vec<u64> = part.iter().map(|axis| axis.end - axis.start).collect();
            let bytes = extent
                .iter()
                .try_fold(size, |bytes, length| bytes.checked_mul(usize::try_from(*length).ok()?));
            self.resize(bytes.ok_or_else(|| Error::new(ErrorKind::TooLarge, "a chunk doesn't fit memory"))?)?;
            read(&offset, &extent, &mut self.buffer)?;
            self.put(&part)?;
            watch(self.buffer.len())?;
        }
        Ok(())
    }

    /// How far the boxes reach along each axis: whole chunks, as many as may be read at once.
    fn steps(&self, shape: &[u64], size: u64) -> Vec<u64> {
        let mut steps: Vec<u64> =
            self.chunk_shape.iter().zip(shape).map(|(chunk, length)| (*chunk).min(*length).max(1)).collect();
        for axis in (0..steps.len()).rev() {
            let others = steps.iter().enumerate().filter(|(other, _)| *other != axis);
            let slice = others.fold(size, |bytes, (_, step)| bytes.saturating_mul(*step));
            let whole = shape[axis].next_multiple_of(self.chunk_shape[axis]);
            steps[axis] = step(self.chunk_shape[axis], slice).min(whole);
        }
        steps
    }

    fn resize(&mut self, bytes: usize) -> Result<()> {
        if bytes > self.buffer.capacity() {
            self.buffer = zeroed(bytes)?;
        }
        self.buffer.resize(bytes, 0);
        Ok(())
    }

    /// Writes what the buffer has of a part of the image.
    fn put(&mut self, part: &[Range<u64>]) -> Result<()> {
        let start: Vec<u64> = part.iter().zip(self.start).map(|(axis, start)| axis.start + start).collect();
        let shape: Vec<u64> = part.iter().map(|axis| axis.end - axis.start).collect();
        let write = self.arrays.file.write_bytes(self.array, &start, &shape, &self.buffer);
        self.arrays.place.runtime.block_on(write).map_err(failed)
    }
}

/// Goes on to the next box in C order, from none to the first; `end` says where a box ends that begins at a place of an
/// axis. Answers whether there is one.
fn next_box(part: &mut Vec<Range<u64>>, shape: &[u64], end: impl Fn(usize, u64) -> u64) -> bool {
    let from = |axis: usize, at: u64| at..end(axis, at).min(shape[axis]);
    if part.is_empty() {
        part.extend((0..shape.len()).map(|axis| from(axis, 0)));
        return true;
    }
    for axis in (0..shape.len()).rev() {
        let at = part[axis].end;
        if at < shape[axis] {
            part[axis] = from(axis, at);
            return true;
        }
        part[axis] = from(axis, 0);
    }
    false
}

/// A number of whole chunks along an axis, a slice of which has so many bytes.
fn step(chunk: u64, slice: u64) -> u64 {
    let chunks = (AT_ONCE / slice.saturating_mul(chunk).max(1)).max(1);
    chunk.saturating_mul(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_whole_chunks_and_cover_every_element_once() {
        // The image's first element is the third of a chunk, along the first axis.
        let (shape, steps, start) = ([7, 5, 4], [4, 2, 8], [2, 0, 0]);
        let mut seen = vec![0u8; 7 * 5 * 4];
        let mut part = Vec::new();
        let mut boxes = 0;
        while next_box(&mut part, &shape, |axis, at| {
            let into: u64 = start[axis] + at;
            into - into % steps[axis] + steps[axis] - start[axis]
        }) {
            boxes += 1;
            for z in part[0].clone() {
                for y in part[1].clone() {
                    for x in part[2].clone() {
                        seen[usize::try_from((z * 5 + y) * 4 + x).unwrap_or(usize::MAX)] += 1;
                    }
                }
            }
            let from_chunk =
                part.iter().zip(start).zip(steps).all(|((axis, start), step)| {
                    axis.start == 0 || (axis.start + start).is_multiple_of(step)
                });
            assert!(from_chunk, "{part:?}");
        }
        assert_eq!(boxes, 3 * 3);
        assert!(seen.iter().all(|times| *times == 1), "{seen:?}");
    }
}
