//! Neuroglancer's compressed segmentation: blocks of labels, each with a table of the labels in it.
//!
//! The layout is that of
//! <https://github.com/google/neuroglancer/blob/master/src/sliceview/compressed_segmentation/README.md>, of one
//! channel: a header of 64 bits per block says where the block's table is, where its indices into it, and how
//! many bits each index has. Offsets count words of 32 bits.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chunks::{DType, Region};
use engine_api::{Error, ErrorKind, Result};

/// The length of the list of channels, which is of one.
const CHANNELS_BYTES: usize = 4;

/// A block's header has 24 bits for where its table is.
const MOST_TABLE_OFFSET: usize = (1 << 24) - 1;

/// The numbers of bits that an index may have.
const BITS: [u32; 7] = [0, 1, 2, 4, 8, 16, 32];

/// Compresses a chunk of labels, which are `u32` or `u64`: C order (z, y, x), little-endian.
///
/// The answer is what a chunk's file holds, the list of one channel at its start.
///
/// # Errors
/// `Unsupported` for other types; `InvalidArgument` when `data` isn't as long as its shape says or a block has
/// no extent; `TooLarge` when the blocks' tables are further away than a header can say.
pub fn encode_compressed_segmentation(
    dtype: DType,
    shape_zyx: [u64; 3],
    block_zyx: [u64; 3],
    data: &[u8],
) -> Result<Vec<u8>> {
    let layout = Layout::new(dtype, shape_zyx, block_zyx, data.len())?;
    if layout.size == 4 { layout.encode::<4>(data) } else { layout.encode::<8>(data) }
}

/// Decompresses a chunk of labels into `out`, which has the length of its shape.
///
/// # Errors
/// `Corrupt` when the data refers to what it hasn't got; otherwise those of
/// [`encode_compressed_segmentation`]. After an error the contents of `out` are unspecified.
pub fn decode_compressed_segmentation(
    dtype: DType,
    shape_zyx: [u64; 3],
    block_zyx: [u64; 3],
    encoded: &[u8],
    out: &mut [u8],
) -> Result<()> {
    let layout = Layout::new(dtype, shape_zyx, block_zyx, out.len())?;
    if layout.size == 4 { layout.decode::<4>(encoded, out) } else { layout.decode::<8>(encoded, out) }
}

/// The longest that an encoder may make a chunk: every block with a table of its own and the widest indices
/// that the format has.
pub(super) fn most_encoded_bytes(dtype: DType, shape_zyx: [u64; 3], block_zyx: [u64; 3]) -> u64 {
    let blocks = shape_zyx
        .iter()
        .zip(block_zyx)
        .fold(1u64, |product, (length, block)| product.saturating_mul(length.div_ceil(block.max(1))));
    let elements = block_zyx.iter().fold(1u64, |product, length| product.saturating_mul(*length));
    let label = u64::try_from(dtype.size()).unwrap_or(8);
    blocks.saturating_mul(elements.saturating_mul(4 + label).saturating_add(8)).saturating_add(4)
}

/// A chunk's extents and its blocks', slowest axis first.
struct Layout {
    shape: [usize; 3],
    block: [usize; 3],
    /// The number of blocks per axis.
    blocks: [usize; 3],
    /// The number of elements in a block, those beyond the chunk's end included.
    block_elements: usize,
    /// The bytes of a label.
    size: usize,
    /// The furthest word at which a table may begin.
    most_table_at: usize,
}

impl Layout {
    fn new(dtype: DType, shape: [u64; 3], block: [u64; 3], bytes: usize) -> Result<Self> {
        if !matches!(dtype, DType::U32 | DType::U64) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "compressed segmentation is of labels, which are u32 or u64",
            )
            .with("type", dtype));
        }
        let invalid = |message| {
            Error::new(ErrorKind::InvalidArgument, message)
                .with("shape", format_args!("{shape:?}"))
                .with("block", format_args!("{block:?}"))
        };
        if Region::at_origin(&shape)?.bytes(dtype.size())? != bytes || bytes == 0 {
            return Err(invalid("the chunk's data isn't as long as its shape says").with("bytes", bytes));
        }
        let narrow = |extents: [u64; 3]| {
            let mut narrow = [0; 3];
            for (to, from) in narrow.iter_mut().zip(extents) {
                *to = usize::try_from(from).ok().filter(|extent| *extent > 0)?;
            }
            Some(narrow)
        };
        // Indices into a block, times the 32 bits that each may have, stay inside 64 bits.
        let elements = narrow(block).and_then(|block| {
            block
                .iter()
                .try_fold(1usize, |product, length| product.checked_mul(*length))
                .filter(|n| *n >> 32 == 0)
        });
        let (Some(shape_here), Some(block_here), Some(block_elements)) =
            (narrow(shape), narrow(block), elements)
        else {
            return Err(invalid("blocks have from 1 to 2^32 elements"));
        };
        let mut blocks = [0; 3];
        for axis in 0..3 {
            blocks[axis] = shape_here[axis].div_ceil(block_here[axis]);
        }
        Ok(Self {
            shape: shape_here,
            block: block_here,
            blocks,
            block_elements,
            size: dtype.size(),
            most_table_at: MOST_TABLE_OFFSET,
        })
    }

    fn block_count(&self) -> usize {
        // No more than the chunk has elements.
        self.blocks.iter().product()
    }

    /// Calls `each` for each block in the order of their headers, with its first element and its end.
    fn for_each_block(&self, mut each: impl FnMut([usize; 3], [usize; 3]) -> Result<()>) -> Result<()> {
        for z in 0..self.blocks[0] {
            for y in 0..self.blocks[1] {
                for x in 0..self.blocks[2] {
                    let start = [z * self.block[0], y * self.block[1], x * self.block[2]];
                    let mut end = self.shape;
                    for axis in 0..3 {
                        end[axis] = end[axis].min(start[axis].saturating_add(self.block[axis]));
                    }
                    each(start, end)?;
                }
            }
        }
        Ok(())
    }

    /// Calls `each` for each row of a block: where it is in the chunk, how long it is, and where in the block.
    fn for_each_row(
        &self,
        start: [usize; 3],
        end: [usize; 3],
        mut each: impl FnMut(usize, usize, u64) -> Result<()>,
    ) -> Result<()> {
        for z in start[0]..end[0] {
            for y in start[1]..end[1] {
                let in_chunk = (z * self.shape[1] + y) * self.shape[2] + start[2];
                let in_block = ((z - start[0]) * self.block[1] + (y - start[1])) * self.block[2];
                each(in_chunk, end[2] - start[2], u64::try_from(in_block).unwrap_or(u64::MAX))?;
            }
        }
        Ok(())
    }

    fn encode<const SIZE: usize>(&self, data: &[u8]) -> Result<Vec<u8>> {
        let (labels, _) = data.as_chunks::<SIZE>();
        // One channel, whose data begins after this word.
        let mut out = 1u32.to_le_bytes().to_vec();
        out.resize(CHANNELS_BYTES + 8 * self.block_count(), 0);
        let mut tables: HashMap<Vec<[u8; SIZE]>, usize> = HashMap::new();
        let mut header = CHANNELS_BYTES;
        self.for_each_block(|start, end| {
            let mut table = Vec::new();
            self.for_each_row(start, end, |at, length, _| {
                for label in &labels[at..at + length] {
                    if table.last() != Some(label) {
                        table.push(*label);
                    }
                }
                Ok(())
            })?;
            table.sort_unstable_by(|a, b| a.iter().rev().cmp(b.iter().rev()));
            table.dedup();
            let bits = bits_for(table.len());
            let values_at = words(&out);
            self.pack(labels, &table, bits, (start, end), &mut out)?;
            let table_at = match tables.entry(table) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    let at = words(&out);
                    out.extend(new.key().iter().flatten());
                    *new.insert(at)
                }
            };
            let (Ok(table_word), Ok(values_word)) = (u32::try_from(table_at), u32::try_from(values_at))
            else {
                return Err(tables_too_far());
            };
            if table_at > self.most_table_at {
                return Err(tables_too_far());
            }
            out[header..header + 4].copy_from_slice(&(table_word | (bits << 24)).to_le_bytes());
            out[header + 4..header + 8].copy_from_slice(&values_word.to_le_bytes());
            header += 8;
            Ok(())
        })?;
        Ok(out)
    }

    /// Appends a block's indices.
    fn pack<const SIZE: usize>(
        &self,
        labels: &[[u8; SIZE]],
        table: &[[u8; SIZE]],
        bits: u32,
        (start, end): ([usize; 3], [usize; 3]),
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if bits == 0 {
            return Ok(());
        }
        let index_of: HashMap<&[u8; SIZE], u32> = table.iter().zip(0..).collect();
        let word_count =
            (u64::try_from(self.block_elements).unwrap_or(u64::MAX) * u64::from(bits)).div_ceil(32);
        let mut packed: Vec<u32> = Vec::new();
        usize::try_from(word_count)
            .ok()
            .filter(|count| packed.try_reserve_exact(*count).is_ok())
            .ok_or_else(tables_too_far)
            .map(|count| packed.resize(count, 0))?;
        self.for_each_row(start, end, |at, length, in_block| {
            let mut bit = in_block * u64::from(bits);
            let mut last = (&labels[at], index_of.get(&labels[at]).copied().unwrap_or(0));
            for label in &labels[at..at + length] {
                // Labels come in runs.
                if label != last.0 {
                    last = (label, index_of.get(label).copied().unwrap_or(0));
                }
                if let Some(word) = usize::try_from(bit / 32).ok().and_then(|word| packed.get_mut(word)) {
                    *word |= last.1 << (bit % 32);
                }
                bit += u64::from(bits);
            }
            Ok(())
        })?;
        out.extend(packed.iter().flat_map(|word| word.to_le_bytes()));
        Ok(())
    }

    fn decode<const SIZE: usize>(&self, encoded: &[u8], out: &mut [u8]) -> Result<()> {
        let first = encoded.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        if first != Some(1) {
            return Err(corrupt("its list of channels isn't that of one"));
        }
        // Offsets count from behind the list.
        let (data, _) = encoded[CHANNELS_BYTES..].as_chunks::<4>();
        let header_words = self.block_count().saturating_mul(2);
        let Some(headers) = data.get(..header_words) else {
            return Err(corrupt("it ends inside its headers"));
        };
        let (labels, _) = out.as_chunks_mut::<SIZE>();
        let mut headers = headers.as_chunks::<2>().0.iter();
        self.for_each_block(|start, end| {
            let Some([table_and_bits, values_at]) = headers.next() else {
                return Err(corrupt("it ends inside its headers"));
            };
            let table_and_bits = u32::from_le_bytes(*table_and_bits);
            let (table_at, bits) = (table_and_bits & 0x00ff_ffff, table_and_bits >> 24);
            if !BITS.contains(&bits) {
                return Err(corrupt("an index has a number of bits that there isn't").with("bits", bits));
            }
            let table = rest(data, table_at).as_flattened().as_chunks::<SIZE>().0;
            let values = rest(data, u32::from_le_bytes(*values_at));
            let mask = u32::MAX.checked_shr(32 - bits).unwrap_or(0);
            self.for_each_row(start, end, |at, length, in_block| {
                let mut bit = in_block * u64::from(bits);
                for label in &mut labels[at..at + length] {
                    let index = if bits == 0 {
                        0
                    } else {
                        let word = usize::try_from(bit / 32).ok().and_then(|word| values.get(word));
                        let Some(word) = word else {
                            return Err(corrupt("it ends inside a block's indices"));
                        };
                        (u32::from_le_bytes(*word) >> (bit % 32)) & mask
                    };
                    *label = *usize::try_from(index)
                        .ok()
                        .and_then(|index| table.get(index))
                        .ok_or_else(|| corrupt("it ends inside a block's table"))?;
                    bit += u64::from(bits);
                }
                Ok(())
            })
        })
    }
}

/// What follows a word's place; nothing, where there is no such place.
fn rest(data: &[[u8; 4]], at: u32) -> &[[u8; 4]] {
    usize::try_from(at).ok().and_then(|at| data.get(at..)).unwrap_or_default()
}

/// The number of words behind the list of channels; what is written is always whole words.
fn words(out: &[u8]) -> usize {
    (out.len() - CHANNELS_BYTES) / 4
}

/// The fewest bits that tell so many labels apart.
fn bits_for(labels: usize) -> u32 {
    BITS.into_iter().find(|bits| labels.checked_sub(1).is_none_or(|last| last >> bits == 0)).unwrap_or(32)
}

fn tables_too_far() -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "the chunk has too many labels for compressed segmentation; cut it smaller",
    )
}

fn corrupt(detail: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "the compressed segmentation is damaged").with("how", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of(dtype: DType, labels: &[u64]) -> Vec<u8> {
        labels.iter().flat_map(|label| label.to_le_bytes()[..dtype.size()].to_vec()).collect()
    }

    #[test]
    fn one_block_is_laid_out_as_documented() {
        // Five labels take four bits each.
        let labels = [7u64, 7, 9, 1 << 40, 3, 5, 3, 7];
        let encoded =
            encode_compressed_segmentation(DType::U64, [2, 2, 2], [2, 2, 2], &bytes_of(DType::U64, &labels))
                .unwrap();
        let words: Vec<u32> =
            encoded.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        let indices = [2u32, 2, 3, 4, 0, 1, 0, 2];
        let packed = indices.iter().rev().fold(0, |word, index| (word << 4) | index);
        assert_eq!(words, [1, 3 | (4 << 24), 2, packed, 3, 0, 5, 0, 7, 0, 9, 0, 0, 256]);
    }

    #[test]
    fn blocks_of_equal_labels_share_a_table() {
        let data = bytes_of(DType::U32, &[6; 512]);
        let encoded = encode_compressed_segmentation(DType::U32, [8, 8, 8], [2, 2, 2], &data).unwrap();
        assert_eq!(encoded.len(), 4 + 64 * 8 + 4);
    }

    #[test]
    fn other_types_and_shapes_are_refused() {
        let encode = |dtype, shape, block, bytes: usize| {
            encode_compressed_segmentation(dtype, shape, block, &vec![0; bytes]).unwrap_err().kind()
        };
        assert_eq!(encode(DType::U16, [1, 1, 2], [8, 8, 8], 4), ErrorKind::Unsupported);
        assert_eq!(encode(DType::U32, [1, 1, 2], [8, 8, 8], 4), ErrorKind::InvalidArgument);
        assert_eq!(encode(DType::U32, [1, 1, 0], [8, 8, 8], 0), ErrorKind::InvalidArgument);
        assert_eq!(encode(DType::U32, [1, 1, 1], [8, 0, 8], 4), ErrorKind::InvalidArgument);
        assert_eq!(encode(DType::U32, [1, 1, 1], [1 << 20, 1 << 20, 1 << 20], 4), ErrorKind::InvalidArgument);
        assert_eq!(encode(DType::U32, [1 << 40, 1 << 40, 1], [8; 3], 4), ErrorKind::TooLarge);
    }

    #[test]
    fn tables_further_away_than_a_header_can_say_are_too_large() {
        let data = bytes_of(DType::U64, &(0..64).collect::<Vec<_>>());
        let mut layout = Layout::new(DType::U64, [4, 4, 4], [2, 2, 2], data.len()).unwrap();
        // Behind 16 words of headers, and each block's single word of indices before 16 words of table.
        layout.most_table_at = 16 + 7 * 17 + 1;
        assert!(layout.encode::<8>(&data).is_ok());
        layout.most_table_at -= 1;
        assert_eq!(layout.encode::<8>(&data).unwrap_err().kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn a_chunk_cut_anywhere_is_corrupt() {
        let data = bytes_of(DType::U64, &(0..60).map(|at| at * at % 11).collect::<Vec<_>>());
        let encoded = encode_compressed_segmentation(DType::U64, [3, 4, 5], [2, 2, 3], &data).unwrap();
        let mut out = vec![0; data.len()];
        for length in 0..encoded.len() {
            let outcome = decode_compressed_segmentation(
                DType::U64,
                [3, 4, 5],
                [2, 2, 3],
                &encoded[..length],
                &mut out,
            );
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Corrupt, "{length}");
        }
    }

    fn chunk() -> impl Strategy<Value = ([u64; 3], [u64; 3], Vec<u64>)> {
        let labels = prop_oneof![Just(2u64), Just(5), Just(40), Just(u64::MAX)];
        (prop::array::uniform3(1u64..12), prop::array::uniform3(1u64..10), labels).prop_flat_map(
            |(shape, block, most)| {
                let count = usize::try_from(shape.iter().product::<u64>()).unwrap();
                (Just(shape), Just(block), prop::collection::vec(0..most, count))
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded((shape, block, labels) in chunk()) {
            for dtype in [DType::U32, DType::U64] {
                let data = bytes_of(dtype, &labels);
                let encoded = encode_compressed_segmentation(dtype, shape, block, &data).unwrap();
                prop_assert!(u64::try_from(encoded.len()).unwrap() <= most_encoded_bytes(dtype, shape, block));
                let mut back = vec![0xaa; data.len()];
                decode_compressed_segmentation(dtype, shape, block, &encoded, &mut back).unwrap();
                prop_assert_eq!(back, data);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            (shape, block, labels) in chunk(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
            noise in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            for dtype in [DType::U32, DType::U64] {
                let data = bytes_of(dtype, &labels);
                let mut out = vec![0; data.len()];
                let mut encoded = encode_compressed_segmentation(dtype, shape, block, &data).unwrap();
                for (place, value) in &damage {
                    let at = place.index(encoded.len());
                    encoded[at] = *value;
                }
                let _ = decode_compressed_segmentation(dtype, shape, block, &encoded, &mut out);
                let noise = [&1u32.to_le_bytes(), noise.as_slice()].concat();
                let _ = decode_compressed_segmentation(dtype, shape, block, &noise, &mut out);
            }
        }
    }
}
