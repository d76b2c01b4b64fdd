//! Regroups the bytes of elements: all lowest bytes first, then all second bytes, and so on.

/// Regroups `src` into `dst`; both are equally long, and a multiple of the element size 1, 2, 4 or 8.
pub(super) fn shuffle(element_size: usize, src: &[u8], dst: &mut [u8]) {
    match element_size {
        2 => shuffle_elements::<2>(src, dst),
        4 => shuffle_elements::<4>(src, dst),
        8 => shuffle_elements::<8>(src, dst),
        _ => dst.copy_from_slice(src),
    }
}

/// Undoes [`shuffle`].
pub(super) fn unshuffle(element_size: usize, src: &[u8], dst: &mut [u8]) {
    match element_size {
        2 => unshuffle_elements::<2>(src, dst),
        4 => unshuffle_elements::<4>(src, dst),
        8 => unshuffle_elements::<8>(src, dst),
        _ => dst.copy_from_slice(src),
    }
}

/// Elements handled at a time: few enough that the first-level cache holds them for the next lane.
const BLOCK: usize = 512;

fn shuffle_elements<const N: usize>(src: &[u8], dst: &mut [u8]) {
    let (elements, _) = src.as_chunks::<N>();
    let mut lanes = lanes_mut::<N>(dst);
    for block in elements.chunks(BLOCK) {
        for (byte, lane) in lanes.iter_mut().enumerate() {
            let (out, rest) = std::mem::take(lane).split_at_mut(block.len());
            for (out, element) in out.iter_mut().zip(block) {
                *out = element[byte];
            }
            *lane = rest;
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

fn lanes_mut<const N: usize>(dst: &mut [u8]) -> [&mut [u8]; N] {
    let length = dst.len() / N;
    let mut rest = dst;
    std::array::from_fn(|_| {
        let (lane, behind) = std::mem::take(&mut rest).split_at_mut(length);
        rest = behind;
        lane
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lowest_bytes_come_first() {
        let mut out = [0; 6];
        shuffle(2, &[1, 10, 2, 20, 3, 30], &mut out);
        assert_eq!(out, [1, 2, 3, 10, 20, 30]);
    }

    proptest! {
        #[test]
        fn every_byte_goes_where_the_definition_says(
            size in prop::sample::select(vec![1usize, 2, 4, 8]),
            count in 0usize..1500,
            seed in any::<u8>(),
        ) {
            let src: Vec<u8> = (0..count * size)
                .map(|i| u8::try_from((i * 31 + i / 7) % 256).unwrap().wrapping_add(seed))
                .collect();
            let mut grouped = vec![0; src.len()];
            shuffle(size, &src, &mut grouped);
            for (at, byte) in src.iter().enumerate() {
                prop_assert_eq!(grouped[(at % size) * count + at / size], *byte);
            }
            let mut back = vec![0; src.len()];
            unshuffle(size, &grouped, &mut back);
            prop_assert_eq!(back, src);
        }
    }
}
