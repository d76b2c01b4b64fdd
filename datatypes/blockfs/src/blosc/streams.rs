//! One stream: bytes that are compressed by themselves.

use std::io::Write;

use engine_api::{Error, ErrorKind, Result};
use flate2::{Decompress, FlushDecompress, Status};

use super::{Compression, Compressor, blosclz, damaged};

/// The compressors' formats as the flags of a header number them.
mod format {
    pub(super) const BLOSCLZ: u8 = 0;
    pub(super) const LZ4: u8 = 1;
    pub(super) const ZLIB: u8 = 3;
    pub(super) const ZSTD: u8 = 4;
}

/// The number of a compressor's format.
pub(super) fn format_of(compressor: Compressor) -> u8 {
    match compressor {
        Compressor::Zstd => format::ZSTD,
        Compressor::Lz4 | Compressor::Lz4Hc => format::LZ4,
        Compressor::BloscLz => format::BLOSCLZ,
        Compressor::Zlib => format::ZLIB,
    }
}

/// Decompresses a stream into exactly `out`. One as long as `out` was stored.
pub(super) fn decompress(format: u8, stream: &[u8], out: &mut [u8]) -> Result<()> {
    if stream.len() == out.len() {
        out.copy_from_slice(stream);
        return Ok(());
    }
    let written = match format {
        format::BLOSCLZ => return blosclz::decompress(stream, out),
        format::LZ4 => {
            lz4_flex::block::decompress_into(stream, out).map_err(|error| failed().caused_by(error))?
        }
        format::ZLIB => inflate(stream, out)?,
        format::ZSTD => {
            zstd::bulk::decompress_to_buffer(stream, out).map_err(|error| failed().caused_by(error))?
        }
        other => {
            return Err(Error::new(ErrorKind::Unsupported, "the compressor of a Blosc frame isn't known")
                .with("format", other));
        }
    };
    if written == out.len() { Ok(()) } else { Err(failed()) }
}

fn inflate(stream: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut inflate = Decompress::new(true);
    let status = inflate
        .decompress(stream, out, FlushDecompress::Finish)
        .map_err(|error| failed().caused_by(error))?;
    if status != Status::StreamEnd {
        return Err(failed());
    }
    usize::try_from(inflate.total_out()).map_err(|_| failed())
}

fn failed() -> Error {
    damaged("a stream can't be decompressed")
}

/// Compresses streams, one after another.
pub(super) struct Packer {
    compression: Compression,
    scratch: Vec<u8>,
    table: blosclz::Table,
    zstd: Option<(zstd::bulk::Compressor<'static>, zstd::bulk::Compressor<'static>)>,
}

impl Packer {
    pub(super) fn new(compression: Compression) -> Result<Self> {
        let zstd = if compression.compressor() == Compressor::Zstd {
            let context = |level| {
                zstd::bulk::Compressor::new(level)
                    .map_err(|error| Error::from_io(error, "zstd can't be set up"))
            };
            // Up to 5 they are lower than Blosc's own, 2 n - 1: a block is a percent longer, and takes half the time.
            let level = match compression.level() {
                0 | 1 => 1,
                level @ 2..=5 => i32::from(level) + 1,
                level @ 6..=8 => 2 * i32::from(level) - 1,
                _ => *zstd::compression_level_range().end(),
            };
            Some((context(1)?, context(level)?))
        } else {
            None
        };
        Ok(Self { compression, scratch: Vec::new(), table: blosclz::Table::default(), zstd })
    }

    pub(super) fn compression(&self) -> Compression {
        self.compression
    }

    /// Appends the stream of `src` and answers its length; where compression doesn't make it shorter, that is `src`.
    pub(super) fn pack(&mut self, src: &[u8], out: &mut Vec<u8>) -> Result<usize> {
        let start = out.len();
        if !self.shorter(src, out)? {
            out.truncate(start);
            out.extend_from_slice(src);
        }
        Ok(out.len() - start)
    }

    /// Whether a shorter stream was appended; otherwise what was appended is of no use.
    fn shorter(&mut self, src: &[u8], out: &mut Vec<u8>) -> Result<bool> {
        let failed = |error| Error::from_io(error, "a stream can't be compressed");
        let level = i32::from(self.compression.level());
        match self.compression.compressor() {
            Compressor::BloscLz => Ok(blosclz::compress(&mut self.table, src, src.len(), out)),
            Compressor::Zlib => {
                let level = flate2::Compression::new(self.compression.level().into());
                let mut encoder = flate2::write::ZlibEncoder::new(&mut *out, level);
                let start = encoder.get_ref().len();
                encoder.write_all(src).and_then(|()| encoder.finish()).map_err(failed)?;
                Ok(out.len() - start < src.len())
            }
            compressor @ (Compressor::Lz4 | Compressor::Lz4Hc) => {
                let mode = if compressor == Compressor::Lz4 {
                    lz4::block::CompressionMode::FAST(10 - level)
                } else {
                    lz4::block::CompressionMode::HIGHCOMPRESSION(level)
                };
                let bound = lz4::block::compress_bound(src.len()).map_err(failed)?;
                self.scratch.resize(bound, 0);
                let length = lz4::block::compress_to_buffer(src, Some(mode), false, &mut self.scratch)
                    .map_err(failed)?;
                self.keep(length, src.len(), out)
            }
            Compressor::Zstd => {
                let Some((quick, thorough)) = &mut self.zstd else {
                    return Err(Error::new(ErrorKind::Internal, "zstd isn't set up"));
                };
                self.scratch.resize(zstd::zstd_safe::compress_bound(src.len()), 0);
                let mut length =
                    quick.compress_to_buffer(src, self.scratch.as_mut_slice()).map_err(failed)?;
                // What the lowest level can't shorten is noise: the others would only take ten times as long over it.
                if level > 1 && length < src.len() - src.len() / 256 {
                    length = thorough.compress_to_buffer(src, self.scratch.as_mut_slice()).map_err(failed)?;
                }
                self.keep(length, src.len(), out)
            }
        }
    }

    fn keep(&self, length: usize, raw: usize, out: &mut Vec<u8>) -> Result<bool> {
        if length >= raw {
            return Ok(false);
        }
        out.extend_from_slice(
            self.scratch
                .get(..length)
                .ok_or_else(|| Error::new(ErrorKind::Internal, "a stream is too long"))?,
        );
        Ok(true)
    }
}
