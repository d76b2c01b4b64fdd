//! Blosc's own compressor: matches of three bytes and more, up to 73,726 bytes back.
//!
//! A control byte below 32 says how many literals follow, less one. Any other begins a match: its three high bits are
//! the length less two, and 7 means that bytes follow to be added, until one isn't 255; its five low bits and the next
//! byte are the distance less one. Where those thirteen bits are all set, sixteen more follow, of a distance that
//! begins after them. The first control byte is one of literals and has bit 5 set, and the last bytes are literals.

use super::damaged;
use engine_api::Result;

/// What thirteen bits can't say.
const NEAR: usize = 8191;

/// One past the longest distance, less one as it is stored.
const FAR: usize = NEAR + 0xffff;

/// The most literals of one control byte.
const MOST_LITERALS: usize = 32;

/// A match shorter than this costs as much as its literals; one from afar must be longer.
const LEAST_MATCH: usize = 4;
const LEAST_FAR_MATCH: usize = 8;

/// The last bytes of a stream, which are literals.
const TAIL: usize = 12;

const HASH_BITS: u32 = 14;

/// The hash table of the compressor; it is kept from stream to stream, and its contents don't matter.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<u32>);

/// Compresses `src` behind what is in `out`; answers whether it took less than `most` bytes. Where it didn't, what was
/// appended is of no use.
pub(super) fn compress(table: &mut Table, src: &[u8], most: usize, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    if src.len() < 2 * TAIL {
        return false;
    }
    table.0.clear();
    table.0.resize(1 << HASH_BITS, 0);
    let limit = src.len() - TAIL;
    // The first literals can't be part of a match.
    let (mut at, mut literals, mut misses) = (4, 0, 0usize);
    while at + 4 <= limit {
        let word = four(src, at);
        let hash = usize::try_from(word.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)).unwrap_or(0);
        let candidate = usize::try_from(table.0[hash]).unwrap_or(0);
        table.0[hash] = u32::try_from(at).unwrap_or(0);
        let distance = at - candidate - 1;
        if candidate < at && distance < FAR && four(src, candidate) == word {
            let length = 4 + common(&src[candidate + 4..limit], &src[at + 4..limit]);
            if length >= if distance < NEAR { LEAST_MATCH } else { LEAST_FAR_MATCH } {
                put_literals(&src[literals..at], out);
                put_match(length, distance, out);
                at += length;
                literals = at;
                misses = 0;
                if out.len() - start >= most {
                    return false;
                }
                continue;
            }
        }
        // Where nothing matches, fewer places are looked at.
        misses += 1;
        at += 1 + misses / 64;
    }
    put_literals(&src[literals..], out);
    if out.len() - start >= most {
        return false;
    }
    if let Some(first) = out.get_mut(start) {
        *first |= 1 << 5;
    }
    true
}

fn four(src: &[u8], at: usize) -> u32 {
    src.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn common(a: &[u8], b: &[u8]) -> usize {
    let (words_a, words_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let words = words_a.iter().zip(words_b).take_while(|(a, b)| a == b).count() * 8;
    words + a[words..].iter().zip(&b[words..]).take_while(|(a, b)| a == b).count()
}

#[expect(clippy::cast_possible_truncation, reason = "chunks have at most 32 bytes")]
fn put_literals(literals: &[u8], out: &mut Vec<u8>) {
    for run in literals.chunks(MOST_LITERALS) {
        out.push((run.len() - 1) as u8);
        out.extend_from_slice(run);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "every number is masked or below its bound")]
fn put_match(length: usize, distance: usize, out: &mut Vec<u8>) {
    let far = distance.checked_sub(NEAR);
    let (high, low) = if far.is_some() { (31, 255) } else { ((distance >> 8) as u8, distance as u8) };
    let field = length - 2;
    if field < 7 {
        out.push((field as u8) << 5 | high);
    } else {
        out.push(7 << 5 | high);
        let mut rest = field - 7;
        while rest >= 255 {
            out.push(255);
            rest -= 255;
        }
        out.push(rest as u8);
    }
    out.push(low);
    if let Some(far) = far {
        out.extend_from_slice(&[(far >> 8) as u8, far as u8]);
    }
}

/// Decompresses `src`, which gives exactly as many bytes as `out` has.
pub(super) fn decompress(src: &[u8], out: &mut [u8]) -> Result<()> {
    let short = || damaged("its bytes end too early");
    let mut input = Input(src);
    let mut control = input.byte()? & 31;
    let mut at = 0;
    loop {
        if control < 32 {
            let literals = input.take(usize::from(control) + 1)?;
            let to =
                out.get_mut(at..at + literals.len()).ok_or_else(|| damaged("it is longer than it says"))?;
            to.copy_from_slice(literals);
            at += literals.len();
            if input.0.is_empty() {
                break;
            }
        } else {
            let mut length = usize::from(control >> 5) + 2;
            if control >> 5 == 7 {
                loop {
                    let more = input.byte()?;
                    length += usize::from(more);
                    if more != 255 {
                        break;
                    }
                }
            }
            let mut distance = usize::from(control & 31) << 8 | usize::from(input.byte()?);
            if distance == NEAR {
                distance += usize::from(input.byte()?) << 8 | usize::from(input.byte()?);
            }
            let from =
                at.checked_sub(distance + 1).ok_or_else(|| damaged("a match begins before its start"))?;
            if length > out.len() - at {
                return Err(damaged("it is longer than it says"));
            }
            copy_match(out, from, at, length);
            at += length;
        }
        control = input.byte()?;
    }
    if at == out.len() { Ok(()) } else { Err(short()) }
}

/// Copies what lies at `from` to `at`, where what was copied may be copied again.
fn copy_match(out: &mut [u8], from: usize, at: usize, length: usize) {
    let distance = at - from;
    if distance == 1 {
        let byte = out[from];
        out[at..at + length].fill(byte);
        return;
    }
    let mut done = 0;
    while done < length {
        // What is there by now repeats itself, so each step can be twice as long.
        let step = (distance + done).min(length - done);
        out.copy_within(from..from + step, at + done);
        done += step;
    }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Result<u8> {
        let (byte, rest) = self.0.split_first().ok_or_else(|| damaged("its bytes end too early"))?;
        self.0 = rest;
        Ok(*byte)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) =
            self.0.split_at_checked(length).ok_or_else(|| damaged("its bytes end too early"))?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(src: &[u8]) -> Option<usize> {
        let mut packed = Vec::new();
        if !compress(&mut Table::default(), src, src.len(), &mut packed) {
            return None;
        }
        let mut out = vec![0xEE; src.len()];
        decompress(&packed, &mut out).unwrap();
        assert!(out == src);
        Some(packed.len())
    }

    #[test]
    fn distances_and_lengths_at_their_bounds_come_back() {
        let mut random = fastrand::Rng::with_seed(1);
        for distance in [1, 2, 7, 255, 256, 8190, 8191, 8192, 8193, 73_725, 73_726, 73_727] {
            for length in [8, 9, 10, 263, 264, 265, 518, 519, 520] {
                let mut src: Vec<u8> = (0..distance).map(|_| random.u8(..)).collect();
                for _ in 0..length {
                    src.push(src[src.len() - distance]);
                }
                src.extend((0..TAIL).map(|_| random.u8(..)));
                round_trip(&src);
            }
        }
    }

    #[test]
    fn what_repeats_gets_short() {
        assert!(round_trip(&vec![7; 100_000]).unwrap() < 500);
        let far: Vec<u8> =
            (0..60_000u32).chain(0..60_000).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        assert!(round_trip(&far).is_none_or(|length| length < far.len()));
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back(bytes in 0usize..20_000, letters in 1u8..20, seed in any::<u64>()) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut src = Vec::new();
            while src.len() < bytes {
                if random.bool() && !src.is_empty() {
                    let from = random.usize(..src.len());
                    for at in from..from + random.usize(..300) {
                        src.push(src[at]);
                    }
                } else {
                    src.push(random.u8(..letters));
                }
            }
            round_trip(&src);
        }

        #[test]
        fn no_bytes_make_it_panic(src in prop::collection::vec(any::<u8>(), 0..200), length in 0usize..1000) {
            drop(decompress(&src, &mut vec![0; length]));
        }
    }
}
