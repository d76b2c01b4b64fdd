//! Regroups the bytes of elements: all lowest bytes first, then all second bytes, and so on.
//!
//! Elements have any size, and what is no whole element stays behind the others, as it was.

/// Regroups `src` into `dst`, which is as long.
pub(super) fn shuffle(element_size: usize, src: &[u8], dst: &mut [u8]) {
    let whole = src.len() / element_size * element_size;
    dst[whole..].copy_from_slice(&src[whole..]);
    let (src, dst) = (&src[..whole], &mut dst[..whole]);
    match element_size {
        2 => shuffle_elements::<2>(src, dst),
        4 => shuffle_elements::<4>(src, dst),
        8 => shuffle_elements::<8>(src, dst),
        16 => shuffle_elements::<16>(src, dst),
        size => {
            let count = whole / size;
            for (index, element) in src.chunks_exact(size).enumerate() {
                for (lane, byte) in element.iter().enumerate() {
                    dst[lane * count + index] = *byte;
                }
            }
        }
    }
}

/// Undoes [`shuffle`].
pub(super) fn unshuffle(element_size: usize, src: &[u8], dst: &mut [u8]) {
    let whole = src.len() / element_size * element_size;
    dst[whole..].copy_from_slice(&src[whole..]);
    let (src, dst) = (&src[..whole], &mut dst[..whole]);
    match element_size {
        2 => unshuffle_elements::<2>(src, dst),
        4 => unshuffle_elements::<4>(src, dst),
        8 => unshuffle_elements::<8>(src, dst),
        16 => unshuffle_elements::<16>(src, dst),
        size => {
            let count = whole / size;
            for (index, element) in dst.chunks_exact_mut(size).enumerate() {
                for (lane, byte) in element.iter_mut().enumerate() {
                    *byte = src[lane * count + index];
                }
            }
        }
    }
}

/// Elements handled at a time: few enough that the first-level cache holds them for the next lane.
const BLOCK: usize = 512;

fn shuffle_elements<const N: usize>(src: &[u8], dst: &mut [u8]) {
    let (elements, _) = src.as_chunks::<N>();
    let length = elements.len();
    for (at, block) in elements.chunks(BLOCK).enumerate() {
        for byte in 0..N {
            let start = byte * length + at * BLOCK;
            for (out, element) in dst[start..start + block.len()].iter_mut().zip(block) {
                *out = element[byte];
            }
        }
    }
}

fn unshuffle_elements<const N: usize>(src: &[u8], dst: &mut [u8]) {
    let (elements, _) = dst.as_chunks_mut::<N>();
    let length = elements.len();
    for (at, block) in elements.chunks_mut(BLOCK).enumerate() {
        let start = at * BLOCK;
        let lanes: [&[u8]; N] =
            std::array::from_fn(|byte| &src[byte * length + start..byte * length + start + block.len()]);
        for (index, element) in block.iter_mut().enumerate() {
            *element = std::array::from_fn(|byte| lanes[byte][index]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_byte_goes_where_the_definition_says(size in 1usize..40, bytes in 0usize..5000, seed in any::<u64>()) {
            let mut random = fastrand::Rng::with_seed(seed);
            let src: Vec<u8> = (0..bytes).map(|_| random.u8(..)).collect();
            let mut grouped = vec![0; bytes];
            shuffle(size, &src, &mut grouped);
            let count = bytes / size;
            for (at, byte) in src.iter().enumerate() {
                let to = if at < count * size { (at % size) * count + at / size } else { at };
                prop_assert_eq!(grouped[to], *byte);
            }
            let mut back = vec![0; bytes];
            unshuffle(size, &grouped, &mut back);
            prop_assert_eq!(back, src);
        }
    }
}
