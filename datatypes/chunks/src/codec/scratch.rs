//! Buffers and compression contexts that a thread keeps from one chunk to the next.

use std::cell::RefCell;

use engine_api::{Error, ErrorKind, Result};
use zstd::bulk::{Compressor, Decompressor};

/// Buffers larger than this are given back after a chunk, so that idle threads don't hold on to them.
const KEPT_BYTES: usize = 4 << 20;

#[derive(Default)]
pub(super) struct Scratch {
    pub(super) shuffled: Vec<u8>,
    pub(super) packed: Vec<u8>,
    compressor: Option<(i32, Compressor<'static>)>,
    decompressor: Option<Decompressor<'static>>,
}

type Compressing<'a> = (&'a mut Compressor<'static>, &'a mut Vec<u8>, &'a [u8]);

impl Scratch {
    /// Runs `work` with this thread's scratch.
    pub(super) fn with<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let result = work(scratch);
            for buffer in [&mut scratch.shuffled, &mut scratch.packed] {
                if buffer.capacity() > KEPT_BYTES {
                    *buffer = Vec::new();
                }
            }
            result
        })
    }

    /// The compressor for a level, with the buffer to compress into and the regrouped input.
    pub(super) fn compressor(&mut self, level: i32) -> Result<Compressing<'_>> {
        let compressor = match self.compressor.take() {
            Some((kept, compressor)) if kept == level => compressor,
            _ => Compressor::new(level).map_err(zstd_failed)?,
        };
        let (_, compressor) = self.compressor.insert((level, compressor));
        Ok((compressor, &mut self.packed, &self.shuffled))
    }

    pub(super) fn decompressor(&mut self) -> Result<&mut Decompressor<'static>> {
        let decompressor = match self.decompressor.take() {
            Some(decompressor) => decompressor,
            None => Decompressor::new().map_err(zstd_failed)?,
        };
        Ok(self.decompressor.insert(decompressor))
    }
}

pub(super) fn zstd_failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, "Zstandard failed").caused_by(error)
}
