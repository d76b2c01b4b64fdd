//! A head in MRI and the labels of its regions, 181 x 217 x 181 voxels, halved along each axis: the CRC-32 of what comes
//! out is that of what tensorstore 0.1.86 and tinybrain 1.7.0 make of the same arrays.
//!
//! The images are `ch2.nii.gz` and `aal.nii.gz` of Debian's package `mricron-data`; `DOWNRES_IMAGES` names the folder
//! that has them. `.ci/run` fetches them.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use chunks::{DType, Region, coarser_region};
use crc32fast::hash;
use downres::{Reducer, reduce_region};
use flate2::read::GzDecoder;

const SHAPE: [u64; 3] = [181, 217, 181];

/// The voxels behind the header of NIfTI-1, slowest axis first.
fn voxels(name: &str) -> Vec<u8> {
    let folder = env::var_os("DOWNRES_IMAGES").unwrap_or_else(|| "/usr/share/mricron/templates".into());
    let path = Path::new(&folder).join(name);
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut image = Vec::new();
    GzDecoder::new(file).read_to_end(&mut image).unwrap();
    image.split_off(352)
}

fn check(name: &str, whole: u32, golden: &[(Reducer, u32)]) {
    let factors = [2, 2, 2];
    let image = voxels(name);
    assert_eq!(hash(&image), whole, "the image isn't the one meant");
    let fine = Region::at_origin(&SHAPE).unwrap();
    let coarse = coarser_region(&fine, &factors).unwrap();
    for (reducer, expected) in golden {
        let mut out = vec![0; coarse.bytes(1).unwrap()];
        reduce_region(*reducer, DType::U8, &factors, &image, &fine, &fine, &mut out, &coarse).unwrap();
        let found = hash(&out);
        assert_eq!(found, *expected, "{reducer}: {found:08x} rather than {expected:08x}");
    }
}

#[test]
#[ignore = "needs ch2.nii.gz of Debian's mricron-data"]
fn a_head_comes_out_as_from_tensorstore_and_tinybrain() {
    let golden = [
        (Reducer::Mean, 0x55a0_6971),
        (Reducer::Median, 0x800c_bbcc),
        (Reducer::Mode, 0xfcbd_0d43),
        (Reducer::Stride, 0xefc0_be86),
        (Reducer::Min, 0x99e7_e18f),
        (Reducer::Max, 0xcc88_a579),
        (Reducer::MeanTruncated, 0x0248_e160),
        // tinybrain's, given the array as it is here. Given it with its axes reversed, 486 cells at the upper edge of x
        // come out twice as large, larger than any of their voxels, and the CRC-32 is 8b4a0263.
        (Reducer::MeanTruncatedSparse, 0xd297_7115),
    ];
    check("ch2.nii.gz", 0xc382_2357, &golden);
}

#[test]
#[ignore = "needs aal.nii.gz of Debian's mricron-data"]
fn labels_of_a_brain_come_out_as_from_tensorstore_and_tinybrain() {
    let golden = [
        (Reducer::Mode, 0x34db_4b6b),
        (Reducer::Stride, 0x28ff_8bb6),
        (Reducer::Min, 0x9f3d_ead3),
        (Reducer::Max, 0xc84d_6777),
        (Reducer::ModeFirst, 0x9355_c181),
        (Reducer::ModeFirstSparse, 0xcd54_275d),
    ];
    check("aal.nii.gz", 0xc493_9217, &golden);
}
