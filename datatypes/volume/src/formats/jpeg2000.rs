//! JPEG 2000: a gray picture of 8 or 16 bits as a JP2 file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use chunks::DType;
use engine_api::embedded::contain;
use engine_api::{Error, ErrorKind, Result};
use openjp2::openjpeg::{OPJ_CLRSPC_GRAY, OPJ_CODEC_JP2, opj_cparameters_t, opj_dparameters_t};
use openjp2::{Codec, Stream, opj_image, opj_image_comptparm};

use super::png::GraySlice;

/// What the encoder keeps before it writes.
const BUFFER: usize = 1 << 18;

/// The most scales of wavelets, the picture itself among them.
const MOST_RESOLUTIONS: u32 = 6;

/// How often a picture is encoded that hasn't got its signal to noise ratio yet.
const MOST_TRIES: usize = 8;

/// Writes a picture of `u8`, `u16` or `bool` as a file: every pixel as it is, or with a signal to noise ratio in
/// decibels at least.
pub(super) fn write_file(path: &Path, slice: &GraySlice<'_>, psnr: Option<f64>) -> Result<()> {
    let precision = match slice.dtype {
        DType::U8 | DType::Bool => 8,
        DType::U16 => 16,
        other => {
            return Err(Error::new(ErrorKind::Unsupported, "JPEG 2000 has pixels of u8 and u16 here")
                .with("type", other));
        }
    };
    let (Ok(width), Ok(height)) = (u32::try_from(slice.width), u32::try_from(slice.height)) else {
        return Err(too_large());
    };
    let pixels: Vec<i32> = if precision == 8 {
        slice.data.iter().map(|pixel| i32::from(*pixel)).collect()
    } else {
        slice.data.as_chunks().0.iter().map(|pixel| i32::from(u16::from_le_bytes(*pixel))).collect()
    };
    contain(|| match psnr {
        None => encode(path, (width, height), precision, &pixels, None),
        Some(wanted) => encode_lossy(path, (width, height), precision, &pixels, wanted),
    })?;
    // The encoder doesn't tell what its last write answered; a file that isn't whole has no mark at its end.
    check_complete(path)
}

/// Encodes until the picture is as good as is wanted: the encoder estimates what it loses, and is some decibels off.
fn encode_lossy(path: &Path, size: (u32, u32), precision: u32, pixels: &[i32], wanted: f64) -> Result<()> {
    let mut asked = wanted;
    for _ in 0..MOST_TRIES {
        encode(path, size, precision, pixels, Some(asked))?;
        let reached = ratio_of(path, precision, pixels)?;
        if reached >= wanted {
            return Ok(());
        }
        asked += wanted - reached + 0.5;
    }
    encode(path, size, precision, pixels, None)
}

/// The signal to noise ratio of a file, against the largest pixel that there may be.
fn ratio_of(path: &Path, precision: u32, pixels: &[i32]) -> Result<f64> {
    let mut stream = Stream::new_file(path, BUFFER, true).map_err(read_failed)?;
    let mut codec = Codec::new_decoder(OPJ_CODEC_JP2).ok_or_else(|| failed("no decoder"))?;
    if codec.setup_decoder(&mut opj_dparameters_t::default()) == 0 {
        return Err(failed("setup of the decoder"));
    }
    let mut image = codec.read_header(&mut stream).ok_or_else(|| failed("header"))?;
    if codec.decode(&mut stream, &mut image) == 0 {
        return Err(failed("decode"));
    }
    let decoded = image.comps().and_then(<[_]>::first).and_then(|component| component.data());
    let decoded = decoded.filter(|decoded| decoded.len() == pixels.len()).ok_or_else(|| failed("pixels"))?;
    let (squares, count) = decoded.iter().zip(pixels).fold((0.0, 0.0), |(squares, count), (new, old)| {
        (squares + (f64::from(*new) - f64::from(*old)).powi(2), count + 1.0)
    });
    let peak = f64::from((1u32 << precision) - 1);
    // Infinite where nothing differs.
    Ok(10.0 * (peak * peak * count / squares).log10())
}

fn encode(
    path: &Path,
    (width, height): (u32, u32),
    precision: u32,
    pixels: &[i32],
    psnr: Option<f64>,
) -> Result<()> {
    let resolutions = (u32::BITS - width.min(height).leading_zeros()).clamp(1, MOST_RESOLUTIONS);
    let mut parameters = opj_cparameters_t {
        tcp_numlayers: 1,
        numresolution: i32::try_from(resolutions).unwrap_or(1),
        ..opj_cparameters_t::default()
    };
    match psnr {
        Some(decibels) => {
            parameters.cp_fixed_quality = 1;
            parameters.tcp_distoratio[0] = narrow(decibels);
        }
        None => parameters.cp_disto_alloc = 1,
    }
    let component = opj_image_comptparm {
        dx: 1,
        dy: 1,
        w: width,
        h: height,
        x0: 0,
        y0: 0,
        prec: precision,
        bpp: precision,
        sgnd: 0,
    };
    let mut image = opj_image::create(&[component], OPJ_CLRSPC_GRAY).ok_or_else(too_large)?;
    (image.x1, image.y1) = (width, height);
    let stored =
        image.comps_mut().and_then(<[_]>::first_mut).is_some_and(|component| component.set_data(pixels));
    if !stored {
        return Err(too_large());
    }
    let mut codec = Codec::new_encoder(OPJ_CODEC_JP2).ok_or_else(|| failed("no encoder"))?;
    if codec.setup_encoder(&mut parameters, &mut image) == 0 {
        return Err(failed("setup"));
    }
    let write_failed = |error| Error::from_io(error, "a file of the image can't be written");
    let mut stream = Stream::new_file(path, BUFFER, false).map_err(write_failed)?;
    if codec.start_compress(&mut image, &mut stream) == 0 {
        return Err(not_written("start"));
    }
    if codec.encode(&mut stream) == 0 {
        return Err(not_written("encode"));
    }
    if codec.end_compress(&mut stream) == 0 {
        return Err(not_written("end"));
    }
    stream.flush().map_err(write_failed)
}

fn check_complete(path: &Path) -> Result<()> {
    let mut file = File::open(path).map_err(read_failed)?;
    let mut end = [0; 2];
    file.seek(SeekFrom::End(-2)).and_then(|_| file.read_exact(&mut end)).map_err(read_failed)?;
    if end == [0xff, 0xd9] {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Io, "a file of the image wasn't written whole"))
}

#[allow(clippy::cast_possible_truncation, reason = "a ratio in decibels is a small number")]
fn narrow(decibels: f64) -> f32 {
    decibels as f32
}

fn read_failed(error: io::Error) -> Error {
    Error::from_io(error, "a file of the image can't be read again")
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "a slice is too large for a picture")
}

/// The encoder doesn't tell what it couldn't write; that it failed at all is most often that.
fn not_written(step: &'static str) -> Error {
    Error::new(ErrorKind::Io, "a file of the image can't be encoded or written").with("step", step)
}

fn failed(step: &'static str) -> Error {
    Error::new(ErrorKind::Internal, "the picture can't be encoded").with("step", step)
}
