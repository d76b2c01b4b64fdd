//! Chunks in shards: files of many chunks, found by a number that is made of a chunk's coordinates.
//!
//! The layout is that of
//! <https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/sharded.md>. A shard begins
//! with where the indices of its minishards are, and a minishard's index says where its chunks are.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use engine_api::{Error, ErrorKind, Result};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde_json::Value;

use super::files::{Files, most_stored};
use super::read::gunzip;

/// An index of a minishard that is longer isn't read.
const MOST_INDEX_BYTES: u64 = 64 << 20;

/// How chunks are spread over shards.
#[derive(Clone, Debug)]
pub(super) struct Sharding {
    preshift_bits: u32,
    minishard_bits: u32,
    shard_bits: u32,
    hash: Hash,
    index: Encoding,
    data: Encoding,
    /// The number of chunks of the scale along x, y, z.
    grid: [u64; 3],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Hash {
    #[serde(rename = "identity")]
    Identity,
    #[serde(rename = "murmurhash3_x86_128")]
    Murmur,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Raw,
    Gzip,
}

/// The description of the sharding of a scale.
#[derive(Debug, Deserialize)]
struct Spec {
    #[serde(rename = "@type")]
    kind: String,
    preshift_bits: u32,
    minishard_bits: u32,
    shard_bits: u32,
    hash: Hash,
    #[serde(default)]
    minishard_index_encoding: Encoding,
    #[serde(default)]
    data_encoding: Encoding,
}

/// Where the chunks of a minishard are: start and length by the number of the chunk.
type Places = HashMap<u64, (u64, u64)>;

/// The minishards, by shard and number in it, whose indices were read last. Each is read once, whoever else wants it
/// meanwhile.
pub(super) struct Minishards(Cache<(u64, u64), Option<Arc<Places>>, PlacesWeighter>);

/// The most bytes of the indices that are kept, about.
const MOST_KEPT_BYTES: u64 = 64 << 20;

#[derive(Clone)]
struct PlacesWeighter;

impl Weighter<(u64, u64), Option<Arc<Places>>> for PlacesWeighter {
    fn weight(&self, _: &(u64, u64), places: &Option<Arc<Places>>) -> u64 {
        let count = places.as_ref().map_or(0, |places| places.len());
        u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(32).saturating_add(64)
    }
}

impl Minishards {
    pub(super) fn new() -> Self {
        Self(Cache::with_weighter(1 << 10, MOST_KEPT_BYTES, PlacesWeighter))
    }
}

impl fmt::Debug for Minishards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minishards").field("kept", &self.0.len()).finish_non_exhaustive()
    }
}

impl Sharding {
    pub(super) fn parse(json: &Value, grid: [u64; 3]) -> Result<Self> {
        let spec = Spec::deserialize(json)
            .map_err(|error| corrupt("its description can't be read").caused_by(error))?;
        if spec.kind != "neuroglancer_uint64_sharded_v1" {
            return Err(Error::new(ErrorKind::Unsupported, "the scale's kind of shards can't be read")
                .with("@type", spec.kind.escape_debug()));
        }
        let hashed_bits = spec.minishard_bits.checked_add(spec.shard_bits);
        // A shard's own index has 16 bytes per minishard, and is never held.
        if spec.preshift_bits > 63 || hashed_bits.is_none_or(|bits| bits > 64) || spec.minishard_bits > 32 {
            return Err(corrupt("it has more bits than a number"));
        }
        let bits: u32 = grid.iter().map(|count| bits_of(*count)).sum();
        if bits > 64 {
            return Err(Error::new(ErrorKind::TooLarge, "the scale has more chunks than numbers for them")
                .with("chunks_xyz", format_args!("{grid:?}")));
        }
        Ok(Self {
            preshift_bits: spec.preshift_bits,
            minishard_bits: spec.minishard_bits,
            shard_bits: spec.shard_bits,
            hash: spec.hash,
            index: spec.minishard_index_encoding,
            data: spec.data_encoding,
            grid,
        })
    }

    /// What is stored of the chunk at x, y, z in a folder, where it is no longer than `most`; `None` when nothing is.
    pub(super) fn read(
        &self,
        (files, folder): (&dyn Files, &str),
        chunk: [u64; 3],
        most: u64,
        minishards: &Minishards,
    ) -> Result<Option<Vec<u8>>> {
        let number = morton(chunk, self.grid);
        let place = self.place_of(number);
        let shard = self.shard_name(folder, place.0);
        let places = minishards.0.get_or_insert_with(&place, || self.read_index((files, &shard), place.1))?;
        let Some(part) = places.and_then(|places| places.get(&number).copied()) else { return Ok(None) };
        read_part((files, &shard), part, self.data, most)?
            .ok_or_else(|| corrupt("its index was there, and it isn't"))
            .map(Some)
    }

    fn shard_name(&self, folder: &str, shard: u64) -> String {
        let digits = usize::try_from(self.shard_bits.div_ceil(4)).unwrap_or(0);
        format!("{folder}/{shard:0digits$x}.shard")
    }

    /// The shard and the minishard of a chunk.
    fn place_of(&self, number: u64) -> (u64, u64) {
        let shifted = number >> self.preshift_bits;
        let hashed = match self.hash {
            Hash::Identity => shifted,
            Hash::Murmur => murmur(shifted),
        };
        let low = |value: u64, bits: u32| if bits == 0 { 0 } else { value & (u64::MAX >> (64 - bits)) };
        (
            low(hashed.checked_shr(self.minishard_bits).unwrap_or(0), self.shard_bits),
            low(hashed, self.minishard_bits),
        )
    }

    /// Where the chunks of a minishard are; `None` when it has none.
    fn read_index(&self, file: (&dyn Files, &str), minishard: u64) -> Result<Option<Arc<Places>>> {
        let entry = (minishard.saturating_mul(16), 16);
        let Some(entry) = read_part(file, entry, Encoding::Raw, 16)? else { return Ok(None) };
        let ([start, end], _) = pair(&entry)?;
        let base = 16u64 << self.minishard_bits;
        let (Some(at), Some(bytes)) = (start.checked_add(base), end.checked_sub(start)) else {
            return Err(corrupt("a minishard's index ends before it begins"));
        };
        if bytes == 0 {
            return Ok(None);
        }
        let index = read_part(file, (at, bytes), self.index, MOST_INDEX_BYTES)?
            .ok_or_else(|| corrupt("its index was there, and it isn't"))?;
        Ok(Some(Arc::new(chunks_in(&index, base)?)))
    }
}

/// A part of a shard, decompressed where it is compressed, that is no longer than `most` then; `None` when there is no
/// such shard.
fn read_part(
    (files, name): (&dyn Files, &str),
    (start, bytes): (u64, u64),
    encoding: Encoding,
    most: u64,
) -> Result<Option<Vec<u8>>> {
    let most_bytes = match encoding {
        Encoding::Raw => most,
        Encoding::Gzip => most_stored(most),
    };
    if bytes > most_bytes {
        return Err(corrupt("what is stored is longer than it can be"));
    }
    if bytes == 0 {
        return Ok(Some(Vec::new()));
    }
    let Some(stored) = files.part(name, start, bytes)? else { return Ok(None) };
    match encoding {
        Encoding::Raw => Ok(Some(stored)),
        Encoding::Gzip => gunzip(&stored, most).map(Some),
    }
}

fn pair(bytes: &[u8]) -> Result<([u64; 2], &[u8])> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    let [first, second, ..] = numbers else { return Err(corrupt("it ends inside its index")) };
    Ok(([u64::from_le_bytes(*first), u64::from_le_bytes(*second)], rest))
}

/// Where the chunks of a minishard are. The index is of three rows: numbers and starts, each from the one
/// before, and lengths.
fn chunks_in(index: &[u8], base: u64) -> Result<Places> {
    let (numbers, rest) = index.as_chunks::<8>();
    if !rest.is_empty() || !numbers.len().is_multiple_of(3) {
        return Err(corrupt("a minishard's index isn't of three rows"));
    }
    let count = numbers.len() / 3;
    let at = |row: usize, column: usize| u64::from_le_bytes(numbers[row * count + column]);
    let mut chunks = HashMap::with_capacity(count);
    let (mut number, mut end) = (0u64, base);
    for column in 0..count {
        // Numbers are differences, and those may be of any order.
        number = number.wrapping_add(at(0, column));
        let start = end.checked_add(at(1, column));
        let Some((start, next)) = start.and_then(|start| Some((start, start.checked_add(at(2, column))?)))
        else {
            return Err(corrupt("a minishard's index leads out of its shard"));
        };
        chunks.insert(number, (start, at(2, column)));
        end = next;
    }
    Ok(chunks)
}

/// The bits that the coordinates along an axis of so many chunks need.
fn bits_of(count: u64) -> u32 {
    u64::BITS - count.saturating_sub(1).leading_zeros()
}

/// The number of a chunk: the bits of x, y and z in turn, without those that no chunk has.
fn morton(chunk: [u64; 3], grid: [u64; 3]) -> u64 {
    let bits = grid.map(bits_of);
    let (mut number, mut to) = (0, 0);
    for from in 0..64 {
        for axis in 0..3 {
            if from < bits[axis] {
                number |= ((chunk[axis] >> from) & 1) << to;
                to += 1;
            }
        }
    }
    number
}

/// The first half of `MurmurHash3_x86_128`, with the seed zero, of a number's eight bytes.
fn murmur(number: u64) -> u64 {
    const C: [u32; 3] = [0x239b_961b, 0xab0e_9789, 0x38b3_4ae5];
    let mix = |mut hash: u32| {
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    };
    let half = |shift: u32| u32::try_from((number >> shift) & 0xffff_ffff).unwrap_or(0);
    let (low, high) = (half(0), half(32));
    // Every part begins as the length of what is hashed.
    let mut hash = [8u32; 4];
    hash[0] ^= low.wrapping_mul(C[0]).rotate_left(15).wrapping_mul(C[1]);
    hash[1] ^= high.wrapping_mul(C[1]).rotate_left(16).wrapping_mul(C[2]);
    let spread = |hash: &mut [u32; 4]| {
        hash[0] = hash.iter().fold(0, |sum, part| sum.wrapping_add(*part));
        for at in 1..4 {
            hash[at] = hash[at].wrapping_add(hash[0]);
        }
    };
    spread(&mut hash);
    hash = hash.map(mix);
    spread(&mut hash);
    u64::from(hash[0]) | (u64::from(hash[1]) << 32)
}

fn corrupt(how: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "a shard is damaged").with("how", how)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_skip_the_bits_that_no_chunk_has() {
        // Two bits of x, one of z, none of y.
        assert_eq!(morton([0, 0, 1], [4, 1, 2]), 0b010);
        assert_eq!(morton([2, 0, 0], [3, 1, 2]), 0b100);
        assert_eq!(morton([1, 0, 1], [3, 1, 2]), 0b011);
        assert_eq!(morton([5, 3, 6], [8, 4, 7]), 0b1111_0011);
    }

    proptest! {
        #[test]
        fn chunks_have_different_numbers_below_their_count_rounded_up(grid in prop::array::uniform3(1u64..9)) {
            let mut seen = std::collections::HashSet::new();
            let most = grid.iter().map(|count| count.next_power_of_two()).product::<u64>();
            for x in 0..grid[0] {
                for y in 0..grid[1] {
                    for z in 0..grid[2] {
                        let number = morton([x, y, z], grid);
                        prop_assert!(number < most && seen.insert(number));
                    }
                }
            }
        }

        #[test]
        fn no_index_makes_it_panic(index in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = chunks_in(&index, 16);
        }
    }
}
