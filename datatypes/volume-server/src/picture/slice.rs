//! One slice of a volume, drawn band by band.

use std::io::Write;

use chunks::{DType, Region};
use engine_api::{Error, ErrorKind, Result};

use super::shade::Shade;
use crate::space::Space;

/// A picture has no more pixels than this.
const MOST_PIXELS: u64 = 1 << 26;

/// A band is made of as many rows of chunks as have this many pixels, one at least.
const BAND_PIXELS: u64 = 1 << 20;

/// Which slice, across which axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    /// 0 is z, 1 is y, 2 is x.
    pub(crate) axis: usize,
    /// In elements of the scale.
    pub(crate) index: i64,
    pub(crate) scale: usize,
}

impl Slice {
    /// The slice's elements: one of its axis, all of the others.
    ///
    /// # Errors
    /// `NotFound` when there is no such scale or slice; `TooLarge` when it has too many pixels for a picture.
    pub(crate) fn region(&self, space: &Space<'_>) -> Result<Region> {
        space.check_scale(self.scale)?;
        let bounds = space.bounds(self.scale)?;
        let region = bounds.slice(self.axis, self.index, self.index.saturating_add(1));
        if region.is_empty() || region.offset()[self.axis] != self.index {
            return Err(Error::new(ErrorKind::NotFound, "there is no such slice")
                .with("axis", ["z", "y", "x"][self.axis])
                .with("index", self.index)
                .with("bounds", bounds));
        }
        if region.elements() > MOST_PIXELS {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "the slice is too large for a picture; take a coarser scale",
            )
            .with("pixels", region.elements())
            .with("most", MOST_PIXELS));
        }
        Ok(region)
    }
}

/// Makes a PNG of a slice: rows are the slower of its axes, columns the faster.
///
/// # Errors
/// `NotFound` when there is no such scale or slice; `TooLarge` when it has too many pixels for a picture; those of
/// the store.
pub(crate) fn draw(space: &Space<'_>, slice: Slice, dtype: DType, shade: Shade) -> Result<Vec<u8>> {
    let region = slice.region(space)?;
    let (rows, columns) = match slice.axis {
        0 => (1, 2),
        1 => (0, 2),
        _ => (0, 1),
    };
    let (height, width) = (region.shape()[rows], region.shape()[columns]);
    let (Ok(across), Ok(down)) = (u32::try_from(width), u32::try_from(height)) else {
        return Err(Error::new(
            ErrorKind::TooLarge,
            "the slice is too long for a picture; take a coarser scale",
        ));
    };
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, across, down);
    encoder.set_color(match shade {
        Shade::Gray(_) => png::ColorType::Grayscale,
        Shade::Labels => png::ColorType::Rgb,
    });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(failed)?;
    let mut stream = writer.stream_writer().map_err(failed)?;
    let band_rows = band_rows(space.chunk_shape(slice.scale)?[rows], width);
    let mut pixels = Vec::new();
    let mut start = region.offset()[rows];
    while start < region.end(rows) {
        // Bands end where chunks do, so that none is read twice.
        let end = start.saturating_sub(start.rem_euclid(band_rows)).saturating_add(band_rows);
        let band = region.slice(rows, start, end);
        pixels.clear();
        shade.pixels(dtype, &space.read(slice.scale, &band)?, &mut pixels);
        stream.write_all(&pixels).map_err(|error| Error::from_io(error, "the picture can't be written"))?;
        start = end;
    }
    stream.finish().map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(picture)
}

/// How many rows are read at once: those of a number of chunks.
fn band_rows(chunk_rows: u64, width: u64) -> i64 {
    let chunks = BAND_PIXELS / width.saturating_mul(chunk_rows).max(1);
    i64::try_from(chunk_rows.saturating_mul(chunks.max(1))).unwrap_or(i64::MAX)
}

fn failed(error: png::EncodingError) -> Error {
    Error::new(ErrorKind::Internal, "the picture can't be made").caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::super::window::Window;
    use super::*;
    use chunks::{Codec, Grid, MemoryScales, MultiscaleStore, Scales, write_region};

    const SHADE: Shade = Shade::Gray(Window { low: 0.0, high: 255.0 });

    fn store(shape: &[u64], origin: &[i64], chunk: &[u64]) -> (MemoryScales, Vec<u8>) {
        let grid = Grid::new(shape, chunk, DType::U8).unwrap().with_origin(origin).unwrap();
        let store = MemoryScales::new(Scales::single(grid), Codec::default());
        let elements = usize::try_from(grid.bounds().elements()).unwrap();
        let data: Vec<u8> = (0..elements).map(|at| (at * 31 % 251).to_le_bytes()[0]).collect();
        write_region(store.scale(0).unwrap(), &grid.bounds(), &data).unwrap();
        (store, data)
    }

    fn decoded(picture: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        pixels.truncate(frame.buffer_size());
        (frame.width, frame.height, pixels)
    }

    #[test]
    fn every_slice_across_every_axis_has_the_elements_of_the_volume() {
        let (store, data) = store(&[4, 5, 7], &[-2, 3, 0], &[2, 3, 4]);
        let space = Space::new(&store, &[]).unwrap();
        let element = |z: usize, y: usize, x: usize| data[(z * 5 + y) * 7 + x];
        let shape = [4usize, 5, 7];
        let origin = [-2i64, 3, 0];
        for axis in 0..3 {
            for at in 0..shape[axis] {
                let index = origin[axis] + i64::try_from(at).unwrap();
                let picture = draw(&space, Slice { axis, index, scale: 0 }, DType::U8, SHADE).unwrap();
                let (rows, columns) = [(5, 7), (4, 7), (4, 5)][axis];
                let mut expected = Vec::new();
                for row in 0..rows {
                    for column in 0..columns {
                        expected.push(match axis {
                            0 => element(at, row, column),
                            1 => element(row, at, column),
                            _ => element(row, column, at),
                        });
                    }
                }
                let (width, height) = (u32::try_from(columns).unwrap(), u32::try_from(rows).unwrap());
                assert_eq!(decoded(&picture), (width, height, expected), "axis {axis}, {index}");
            }
        }
    }

    #[test]
    fn a_slice_of_many_bands_is_whole() {
        let (store, data) = store(&[1, 1500, 1401], &[0, -7, 0], &[1, 64, 512]);
        let space = Space::new(&store, &[]).unwrap();
        assert!(band_rows(64, 1401) < 1500);
        let picture = draw(&space, Slice { axis: 0, index: 0, scale: 0 }, DType::U8, SHADE).unwrap();
        assert_eq!(decoded(&picture), (1401, 1500, data));
    }

    #[test]
    fn what_is_no_slice_is_refused_before_anything_is_read() {
        let grid = Grid::new(&[3, 1 << 14, 1 << 14], &[64, 64, 64], DType::U8).unwrap();
        let store = MemoryScales::new(Scales::single(grid), Codec::default());
        let space = Space::new(&store, &[]).unwrap();
        let kind = |axis, index, scale| {
            draw(&space, Slice { axis, index, scale }, DType::U8, SHADE).unwrap_err().kind()
        };
        for index in [-1, 3, i64::MIN, i64::MAX] {
            assert_eq!(kind(0, index, 0), ErrorKind::NotFound, "{index}");
        }
        assert_eq!(kind(1, 0, 1), ErrorKind::NotFound);
        assert_eq!(kind(0, 0, 0), ErrorKind::TooLarge);
    }
}
