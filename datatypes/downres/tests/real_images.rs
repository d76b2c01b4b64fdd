//! The images of `testdata`, with odd sizes, compared with the plain rule.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use chunks::{DType, Region};
use common::Case;
use downres::Reducer;
use flate2::read::GzDecoder;
use tiff::decoder::{Decoder, DecodingResult};

/// The type, the shape and the elements of the first `slices` slices.
fn image(name: &str, slices: u64) -> (DType, Region, Vec<u8>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name);
    let file = File::open(path).unwrap();
    let mut data = Vec::new();
    if name.ends_with(".nii.gz") {
        let mut voxels = GzDecoder::new(file);
        io::copy(&mut voxels.by_ref().take(352), &mut io::sink()).unwrap();
        voxels.take(slices * 233 * 197).read_to_end(&mut data).unwrap();
        return (DType::U8, Region::at_origin(&[slices, 233, 197]).unwrap(), data);
    }
    let mut pages = Decoder::new(file).unwrap();
    let (width, height) = pages.dimensions().unwrap();
    for slice in 0..slices {
        if slice > 0 {
            pages.next_image().unwrap();
        }
        let DecodingResult::U16(page) = pages.read_image().unwrap() else { panic!("pages of u16") };
        data.extend(page.iter().flat_map(|element| element.to_le_bytes()));
    }
    (DType::U16, Region::at_origin(&[slices, height.into(), width.into()]).unwrap(), data)
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
