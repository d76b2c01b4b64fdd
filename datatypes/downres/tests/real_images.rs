//! The images of `testdata`, with odd sizes, compared with the plain rule.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::path::Path;

use chunks::{DType, Region};
use common::Case;
use downres::Reducer;
use volume::open_image;

/// The type, the shape and the elements of the first `slices` slices.
fn image(name: &str, slices: u64) -> (DType, Region, Vec<u8>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name);
    let mut reader = open_image(&path, None).unwrap();
    let mut data = vec![0; reader.info().slab_bytes(slices).unwrap()];
    assert_eq!(reader.next_slab(&mut data).unwrap(), slices);
    let shape = [&[slices], &reader.info().shape()[1..]].concat();
    (reader.info().dtype(), Region::at_origin(&shape).unwrap(), data)
}

fn every_reducer_keeps_its_rule(name: &str, slices: u64) {
    let (dtype, region, data) = image(name, slices);
    for factors in [[2, 2, 2], [1, 2, 2], [3, 2, 4]] {
        for &reducer in Reducer::ALL {
            let case = Case::whole(reducer, dtype, &factors, data.clone(), region);
            let (mut computed, mut expected) = (case.untouched(), case.untouched());
            case.computed(&mut computed);
            case.expected(&mut expected);
            assert!(computed == expected, "{name}: {reducer} {factors:?}");
        }
    }
}

#[test]
fn labels_of_nuclei() {
    every_reducer_keeps_its_rule("nuclei_labels.tif", 9);
}

#[test]
fn nuclei_in_fluorescence() {
    every_reducer_keeps_its_rule("nuclei.tif", 9);
}

#[test]
fn slices_of_a_head() {
    every_reducer_keeps_its_rule("mni152_t1_1mm.nii.gz", 3);
}
