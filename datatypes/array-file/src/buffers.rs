//! Buffers that are used again.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::io::CONCURRENCY;
use crate::wire::wide;

/// Bytes that wait to be used again while nothing is read or written.
const IDLE_BYTES: usize = 8 << 20;

/// Buffers that are used again: fresh memory costs more than what is done with it.
#[derive(Clone, Debug, Default)]
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

    /// Gives memory back, but for a little that the next operation begins with.
    pub(crate) fn shrink(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = 0usize;
        kept.retain(|buffer| {
            bytes = bytes.saturating_add(buffer.capacity());
            bytes <= IDLE_BYTES
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_used_again_and_is_bounded() {
        let buffers = Buffers::default();
        let mut first = buffers.take(1 << 20).unwrap();
        first.fill(7);
        let place = first.as_ptr();
        buffers.give(first);
        buffers.shrink();
        let again = buffers.take(1 << 19).unwrap();
        assert_eq!((again.as_ptr(), again.len()), (place, 1 << 19));
        for _ in 0..CONCURRENCY {
            buffers.give(vec![0; 1 << 20]);
        }
        buffers.shrink();
        let waiting: usize = buffers.0.lock().unwrap().iter().map(Vec::capacity).sum();
        assert_eq!(waiting, IDLE_BYTES);
    }
}
