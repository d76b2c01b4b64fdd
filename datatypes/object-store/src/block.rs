//! Blocks: an object's bytes with a checksum behind them.

use bytes::Bytes;
use engine_api::key::TKey;
use engine_api::{Error, ErrorKind, Result};
use object_store::PutPayload;

/// The bytes of a block's checksum.
pub(crate) const CHECKSUM: usize = 4;

/// The checksum of a block covers its key too, so that no block passes for another.
fn checksum(tkey: &TKey, data: &[u8]) -> [u8; CHECKSUM] {
    crc32c::crc32c_append(crc32c::crc32c(tkey.as_bytes()), data).to_le_bytes()
}

/// A block's value.
pub(crate) fn seal(tkey: &TKey, mut data: Vec<u8>) -> Bytes {
    let checksum = checksum(tkey, &data);
    data.extend_from_slice(&checksum);
    data.into()
}

/// The bytes of a block's value, which must be so many.
pub(crate) fn open<'v>(tkey: &TKey, value: &'v [u8], length: u64) -> Result<&'v [u8]> {
    let corrupt = |message| Error::new(ErrorKind::Corrupt, message).with_key("key", tkey.as_bytes());
    let (data, stored) = value
        .len()
        .checked_sub(CHECKSUM)
        .map(|length| value.split_at(length))
        .ok_or_else(|| corrupt("a block is cut short"))?;
    if checksum(tkey, data) != stored {
        return Err(corrupt("a block's checksum doesn't match"));
    }
    if u64::try_from(data.len()) != Ok(length) {
        return Err(corrupt("a block is of another length than its object says"));
    }
    Ok(data)
}

/// Cuts a payload into blocks.
pub(crate) struct Cutter {
    pieces: <PutPayload as IntoIterator>::IntoIter,
    /// What is left of the piece that was begun.
    piece: Bytes,
    block_bytes: usize,
}

impl Cutter {
    pub(crate) fn new(payload: PutPayload, block_bytes: usize) -> Self {
        Self { pieces: payload.into_iter(), piece: Bytes::new(), block_bytes }
    }
}

impl Iterator for Cutter {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut block = Vec::new();
        while block.len() < self.block_bytes {
            if self.piece.is_empty() {
                match self.pieces.next() {
                    Some(piece) => self.piece = piece,
                    None => break,
                }
                continue;
            }
            let taken = self.piece.split_to(self.piece.len().min(self.block_bytes - block.len()));
            if block.is_empty() {
                // Mostly one piece makes a block, and then this is the only copy.
                block.reserve_exact(taken.len() + CHECKSUM);
            }
            block.extend_from_slice(&taken);
        }
        (!block.is_empty()).then_some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_any_pieces_is_cut_into_full_blocks() {
        let pieces: Vec<Bytes> =
            [0_u8, 1, 7, 0, 3, 20].iter().map(|n| vec![*n; usize::from(*n)].into()).collect();
        let whole: Vec<u8> = pieces.iter().flatten().copied().collect();
        for block_bytes in 1..40 {
            let blocks: Vec<_> = Cutter::new(pieces.iter().cloned().collect(), block_bytes).collect();
            assert_eq!(blocks.concat(), whole);
            let (_, full) = blocks.split_last().unwrap();
            assert!(full.iter().all(|block| block.len() == block_bytes));
        }
        assert_eq!(Cutter::new(PutPayload::default(), 4).count(), 0);
    }
}
