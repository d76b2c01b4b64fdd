//! What `reduce_region` refuses, and what it leaves alone.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use chunks::{DType, Region};
use downres::{Reducer, reduce_region};
use engine_api::ErrorKind;

fn region(text: &str) -> Region {
    text.parse().unwrap()
}

/// The kind of the failure of halving `part` of a source of `u16`, which has written nothing.
fn refused(factors: &[u64], lengths: (usize, usize), fine: &str, part: &str, coarse: &str) -> ErrorKind {
    let (source, mut target) = (vec![1; lengths.0], vec![9; lengths.1]);
    let error = reduce_region(
        Reducer::Mean,
        DType::U16,
        factors,
        &source,
        &region(fine),
        &region(part),
        &mut target,
        &region(coarse),
    )
    .unwrap_err();
    assert!(target.iter().all(|byte| *byte == 9));
    error.kind()
}

#[test]
fn wrong_lengths_regions_and_factors_are_refused_and_change_nothing() {
    let good = (32, 8);
    let (fine, coarse) = ("0:4,0:4", "0:2,0:2");
    for (factors, lengths, fine, part, coarse) in [
        ([2, 2].as_slice(), (31, 8), fine, fine, coarse),
        (&[2, 2], (32, 9), fine, fine, coarse),
        (&[2, 2], (32, 4), fine, fine, coarse),
        (&[2, 0], good, fine, fine, coarse),
        (&[2], good, fine, fine, coarse),
        (&[2, 2, 1], good, fine, fine, coarse),
        (&[2, 2], good, fine, "0:4,0:5", coarse),
        (&[2, 2], good, fine, "-1:4,0:4", coarse),
        (&[2, 2], good, fine, "0:4", coarse),
        (&[2, 2], (32, 4), fine, fine, "0:2,0:1"),
        (&[2, 2], (32, 8), fine, fine, "1:3,0:2"),
        (&[2, 2], (32, 4), fine, fine, "0:2"),
        (&[2], (32, 4), fine, "0:4", "0:2"),
    ] {
        let kind = refused(factors, lengths, fine, part, coarse);
        assert_eq!(kind, ErrorKind::InvalidArgument, "{factors:?} {lengths:?} {fine} {part} {coarse}");
    }
}

#[test]
fn regions_that_no_buffer_holds_are_too_large() {
    let kind = refused(&[2], (32, 8), "0:9000000000000000000", "0:4", "0:2");
    assert_eq!(kind, ErrorKind::TooLarge);
}

#[test]
fn an_empty_part_writes_nothing() {
    let (fine, mut target) = (region("0:4"), [9; 2]);
    for part in ["2:2", "70:70"] {
        let part = region(part);
        reduce_region(Reducer::Mode, DType::U8, &[2], &[1; 4], &fine, &part, &mut target, &region("0:2"))
            .unwrap();
        assert_eq!(target, [9; 2]);
    }
}

#[test]
fn one_cell_may_hold_everything() {
    let fine = Region::new(&[-3, -40], &[3, 40]).unwrap();
    let coarse = region("-1:0,-1:0");
    let source: Vec<u8> = (0..120).collect();
    for (reducer, expected) in
        [(Reducer::Mean, 60), (Reducer::Median, 59), (Reducer::Max, 119), (Reducer::Stride, 0)]
    {
        let mut target = [7];
        let factors = [u64::MAX, 1 << 63];
        reduce_region(reducer, DType::U8, &factors, &source, &fine, &fine, &mut target, &coarse).unwrap();
        assert_eq!(target, [expected], "{reducer}");
    }
}

#[test]
fn regions_at_the_ends_of_the_coordinates_are_reduced() {
    for start in [i64::MIN, i64::MAX - 5] {
        let fine = Region::new(&[start], &[5]).unwrap();
        let coarse = chunks::coarser_region(&fine, &[2]).unwrap();
        let mut target = [0; 3];
        reduce_region(Reducer::Max, DType::U8, &[2], &[1, 2, 3, 4, 5], &fine, &fine, &mut target, &coarse)
            .unwrap();
        assert_eq!(target, [2, 4, 5], "{start}");
    }
}
