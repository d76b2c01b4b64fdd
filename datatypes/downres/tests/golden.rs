//! Arrays of 512 x 512 x 512 elements, halved along each axis: the CRC-32 of what comes out is that of what
//! tensorstore 0.1.86 and tinybrain 1.7.0 make of the same arrays, and for DVID's vote, of its rule in `NumPy`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use chunks::{DType, Region, coarser_region};
use crc32fast::Hasher;
use downres::{Reducer, reduce_region};

const EDGE: u64 = 512;

/// Slices that are made and reduced at a time.
const SLAB: u64 = 8;

fn splitmix(index: u64) -> u64 {
    let mixed = index.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// A checksum of the array and of what each reducer makes of it, against those given.
fn check(dtype: DType, element: impl Fn(u64, u64, u64) -> u64, whole: u32, golden: &[(Reducer, u32)]) {
    let factors = [2, 2, 2];
    let mut source = Vec::new();
    let mut target = Vec::new();
    let mut input = Hasher::new();
    let mut outputs = vec![Hasher::new(); golden.len()];
    for slab in 0..EDGE / SLAB {
        source.clear();
        for z in slab * SLAB..(slab + 1) * SLAB {
            for y in 0..EDGE {
                for x in 0..EDGE {
                    source.extend_from_slice(&element(z, y, x).to_le_bytes()[..dtype.size()]);
                }
            }
        }
        input.update(&source);
        let start = i64::try_from(slab * SLAB).unwrap();
        let fine = Region::new(&[start, 0, 0], &[SLAB, EDGE, EDGE]).unwrap();
        let coarse = coarser_region(&fine, &factors).unwrap();
        target.resize(coarse.bytes(dtype.size()).unwrap(), 0);
        for ((reducer, _), output) in golden.iter().zip(&mut outputs) {
            reduce_region(*reducer, dtype, &factors, &source, &fine, &fine, &mut target, &coarse).unwrap();
            output.update(&target);
        }
    }
    assert_eq!(input.finalize(), whole, "the array isn't the one meant");
    for ((reducer, expected), output) in golden.iter().zip(outputs) {
        let found = output.finalize();
        assert_eq!(found, *expected, "{reducer}: {found:08x} rather than {expected:08x}");
    }
}

#[test]
fn a_noisy_image_comes_out_as_from_tensorstore_and_tinybrain() {
    let element = |z: u64, y: u64, x: u64| {
        let index = (z * EDGE + y) * EDGE + x;
        (((3 * z + 2 * y + x) & 1023) + (splitmix(index) & 255)) >> 2
    };
    let golden = [
        (Reducer::Mean, 0x7631_1d47),
        (Reducer::Median, 0x80e8_868e),
        (Reducer::Mode, 0x8261_30d1),
        (Reducer::Stride, 0x0c37_8763),
        (Reducer::Min, 0xc1e0_ea22),
        (Reducer::Max, 0x1fbd_760f),
        (Reducer::MeanTruncated, 0xa868_decc),
        (Reducer::MeanTruncatedSparse, 0x4f1d_18eb),
    ];
    check(DType::U8, element, 0xc6cc_929b, &golden);
}

#[test]
fn labels_in_blocks_come_out_as_from_tensorstore_tinybrain_and_dvid() {
    let element =
        |z: u64, y: u64, x: u64| ((z + 5) >> 4) + 64 * ((y + 5) >> 4) + 4096 * ((x + 5) >> 4) + 1 + (1 << 40);
    let golden = [
        (Reducer::Mode, 0xd80d_9133),
        (Reducer::Stride, 0xd80d_9133),
        (Reducer::Min, 0xd80d_9133),
        (Reducer::Max, 0x88d4_c954),
        (Reducer::ModeFirst, 0xd80d_9133),
        (Reducer::ModeFirstSparse, 0xd80d_9133),
        (Reducer::ModeNonzero, 0xd80d_9133),
    ];
    check(DType::U64, element, 0x8536_d641, &golden);
}

#[test]
fn random_labels_come_out_as_from_tensorstore_tinybrain_and_dvid() {
    let element = |z: u64, y: u64, x: u64| splitmix((z * EDGE + y) * EDGE + x) % 8;
    let golden = [
        (Reducer::Mode, 0x4b9d_88e0),
        (Reducer::Stride, 0x9390_7f67),
        (Reducer::Min, 0x6ae9_bd17),
        (Reducer::Max, 0x9627_b9aa),
        (Reducer::ModeFirst, 0x89e4_2b0c),
        (Reducer::ModeFirstSparse, 0x4276_134e),
        (Reducer::ModeNonzero, 0xfce9_833a),
    ];
    check(DType::U64, element, 0x61a4_0820, &golden);
}
