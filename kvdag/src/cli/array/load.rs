//! Images that become elements of an array, a bounded part at a time.

use std::ops::Range;

use array_file::AttributeValue;
use chunks::{Region, zeroed};
use engine_api::{Error, ErrorKind, Result};
#[cfg(feature = "hdf5")]
use volume::Variables;
use volume::{ImageInfo, ImageReader, RegionReader};

use super::place::{Arrays, failed};
use super::source::Input;
use crate::cli::interrupt::Careful;
use crate::cli::output::Output;
use crate::cli::volume::import::Image;

/// What is read and written at once, where a chunk isn't more.
const AT_ONCE: u64 = 64 << 20;

/// The attributes that keep what an image says of its place in space.
pub(super) const SPACING: &str = "spacing";
pub(super) const UNITS: &str = "units";
pub(super) const SOURCE: &str = "source";

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
