//! Slices as a picture.

use std::io::Write;

use chunks::DType;
use engine_api::{Error, ErrorKind, Result};

/// The black columns between two slices.
const GAP: usize = 2;

/// A slice of gray elements.
#[derive(Clone, Copy, Debug)]
pub struct GraySlice<'a> {
    /// The extent of x.
    pub width: usize,
    /// The extent of y.
    pub height: usize,
    /// The type of the elements.
    pub dtype: DType,
    /// The elements: C order (y, x), little-endian.
    pub data: &'a [u8],
}

/// Writes slices side by side into an 8-bit gray PNG, aligned at the top.
///
/// `window` gives the values that become black and white; what lies outside is clipped. Without it `u8` is
/// taken as it is, and other types from the smallest to the largest finite value of all slices together. NaN
/// is black.
///
/// # Errors
/// `InvalidArgument` when there is no slice, or one's data isn't as long as its size says, or the window has
/// no width; `TooLarge` when the picture is more than 2^28 pixels; `Io` and its like from `out`.
pub fn slice_png(slices: &[GraySlice<'_>], window: Option<(f64, f64)>, out: impl Write) -> Result<()> {
    let (width, height, picture) = gray_picture(slices, window)?;
    write_picture(width, height, &picture, out)
}

/// The pixels of [`slice_png`], with the picture's width and height.
pub(super) fn gray_picture(
    slices: &[GraySlice<'_>],
    window: Option<(f64, f64)>,
) -> Result<(usize, usize, Vec<u8>)> {
    let (width, height) = size_of(slices)?;
    let identity = window.is_none() && slices.iter().all(|slice| slice.dtype == DType::U8);
    let (low, high) = match window {
        Some((low, high)) if low < high => (low, high),
        Some((low, high)) => {
            return Err(Error::new(ErrorKind::InvalidArgument, "the window has no width")
                .with("low", low)
                .with("high", high));
        }
        None if identity => (0.0, 255.0),
        None => value_range(slices),
    };
    let mut picture = vec![0; width * height];
    let mut left = 0;
    for slice in slices {
        let size = slice.dtype.size();
        for (y, row) in slice.data.chunks_exact(slice.width * size).enumerate() {
            let target = &mut picture[y * width + left..][..slice.width];
            if identity {
                target.copy_from_slice(row);
            } else {
                for (pixel, element) in target.iter_mut().zip(row.chunks_exact(size)) {
                    *pixel = gray_level((slice.dtype.to_f64(element) - low) / (high - low));
                }
            }
        }
        left += slice.width + GAP;
    }
    Ok((width, height, picture))
}

fn size_of(slices: &[GraySlice<'_>]) -> Result<(usize, usize)> {
    const MOST_PIXELS: usize = 1 << 28;
    let mut width = 0usize;
    let mut height = 0;
    for slice in slices {
        let bytes = slice.width.checked_mul(slice.height).and_then(|n| n.checked_mul(slice.dtype.size()));
        if bytes != Some(slice.data.len()) || slice.data.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "the slice's data isn't as long as its size says",
            )
            .with("width", slice.width)
            .with("height", slice.height)
            .with("bytes", slice.data.len()));
        }
        width = width.saturating_add(slice.width).saturating_add(if width == 0 { 0 } else { GAP });
        height = height.max(slice.height);
    }
    if width == 0 {
        return Err(Error::new(ErrorKind::InvalidArgument, "there is no slice"));
    }
    if width.checked_mul(height).is_none_or(|pixels| pixels > MOST_PIXELS) {
        return Err(Error::new(ErrorKind::TooLarge, "the picture is too large")
            .with("width", width)
            .with("height", height));
    }
    Ok((width, height))
}

/// The smallest and the largest finite value, at least a little apart.
fn value_range(slices: &[GraySlice<'_>]) -> (f64, f64) {
    let values = slices.iter().flat_map(|slice| {
        slice.data.chunks_exact(slice.dtype.size()).map(|element| slice.dtype.to_f64(element))
    });
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low < high { (low, high) } else { (low.min(0.0), low.min(0.0) + 1.0) }
}

/// A share of white, 0 to 1 and clipped there, as an 8-bit pixel; NaN is black.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of a pixel; a cast of NaN is zero"
)]
pub fn gray_level(share: f64) -> u8 {
    (share * 255.0).round().clamp(0.0, 255.0) as u8
}

pub(super) fn write_picture(width: usize, height: usize, picture: &[u8], out: impl Write) -> Result<()> {
    let (Ok(columns), Ok(rows)) = (u32::try_from(width), u32::try_from(height)) else {
        return Err(Error::new(ErrorKind::TooLarge, "the picture is too large"));
    };
    let failed = |error| match error {
        png::EncodingError::IoError(io) => Error::from_io(io, "the picture can't be written"),
        other => Error::new(ErrorKind::Internal, "the picture can't be written").caused_by(other),
    };
    let mut encoder = png::Encoder::new(out, columns, rows);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(picture).map_err(failed)?;
    writer.finish().map_err(failed)
}
