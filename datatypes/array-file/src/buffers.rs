//! Buffers that are used again.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::io::CONCURRENCY;
use crate::wire::wide;

/// Buffers that are used again: fresh memory costs more than what is done with it.
#[derive(Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// A buffer of this length, whose contents are unspecified.
    pub(crate) fn take(&self, length: usize) -> Result<Vec<u8>> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        if buffer.len() > length {
            buffer.truncate(length);
        } else if buffer.capacity() < length {
            buffer = chunks::zeroed(length).map_err(|_| Error::TooLarge {
                what: "a block",
                size: wide(length),
                limit: wide(chunks::MAX_CHUNK_BYTES),
            })?;
        } else {
            buffer.resize(length, 0);
        }
        Ok(buffer)
    }

    pub(crate) fn give(&self, buffer: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < CONCURRENCY {
            kept.push(buffer);
        }
    }
}
