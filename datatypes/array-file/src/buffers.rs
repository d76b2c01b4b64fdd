//! Buffers that are used again.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

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
        let fits = |buffer: &Vec<u8>| (length..=length.saturating_mul(2)).contains(&buffer.capacity());
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that doesn't fit makes way for one that will.
        let at = waiting.iter().rposition(fits).or_else(|| waiting.len().checked_sub(1));
        let mut buffer = at.map(|at| waiting.swap_remove(at)).unwrap_or_default();
        drop(waiting);
        if !fits(&buffer) {
            return chunks::zeroed(length).map_err(|_| Error::TooLarge {
                what: "a block",
                size: wide(length),
                limit: wide(chunks::MAX_CHUNK_BYTES),
            });
        }
        buffer.resize(length, 0);
        Ok(buffer)
    }

    /// Bytes whose buffer comes back as soon as nobody has them any more.
    pub(crate) fn lend(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, buffers: self.clone() })
    }

    pub(crate) fn give(&self, buffer: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < CONCURRENCY {
            kept.push(buffer);
        }
    }

    /// Has memory given back when an operation ends, however it does.
    pub(crate) fn shrink_at_end(&self) -> ShrinkAtEnd {
        ShrinkAtEnd(self.clone())
    }

    /// Gives memory back, but for a little that the next operation begins with.
    fn shrink(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = 0usize;
        kept.retain(|buffer| {
            bytes = bytes.saturating_add(buffer.capacity());
            bytes <= IDLE_BYTES
        });
    }
}

pub(crate) struct ShrinkAtEnd(Buffers);

impl Drop for ShrinkAtEnd {
    fn drop(&mut self) {
        self.0.shrink();
    }
}

struct Lent {
    buffer: Vec<u8>,
    buffers: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.buffers.give(mem::take(&mut self.buffer));
        self.buffers.shrink();
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
        let end = buffers.shrink_at_end();
        for _ in 0..CONCURRENCY {
            buffers.give(vec![0; 1 << 20]);
        }
        drop(end);
        let waiting: usize = buffers.0.lock().unwrap().iter().map(Vec::capacity).sum();
        assert_eq!(waiting, IDLE_BYTES);
    }

    #[test]
    fn what_is_lent_comes_back_and_is_lent_for_what_is_about_as_long() {
        let buffers = Buffers::default();
        let lent = buffers.lend(buffers.take(1000).unwrap());
        let (place, part) = (lent.as_ptr(), lent.slice(10..20));
        drop(lent);
        let other = buffers.take(1000).unwrap();
        assert_ne!(other.as_ptr(), place);
        drop(part);
        let again = buffers.take(600).unwrap();
        assert_eq!(again.as_ptr(), place);
        buffers.give(vec![0; 1000]);
        assert!(buffers.take(100).unwrap().capacity() < 1000);
    }
}
