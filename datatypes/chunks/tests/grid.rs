//! How grids cut arrays, and what they refuse.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use chunks::{Coords, DType, Fill, Grid, MAX_CHUNK_BYTES, Region};
use engine_api::ErrorKind;
use proptest::prelude::*;

#[test]
fn shapes_that_cannot_be_are_refused() {
    let refused = |shape: &[u64], chunk: &[u64]| Grid::new(shape, chunk, DType::U16).unwrap_err().kind();
    assert_eq!(refused(&[4, 0], &[2, 2]), ErrorKind::InvalidArgument);
    assert_eq!(refused(&[4, 4], &[2, 0]), ErrorKind::InvalidArgument);
    assert_eq!(refused(&[4, 4], &[2]), ErrorKind::InvalidArgument);
    assert_eq!(refused(&[], &[]), ErrorKind::InvalidArgument);
    assert_eq!(refused(&[1; 6], &[1; 6]), ErrorKind::InvalidArgument);
    assert_eq!(refused(&[u64::MAX], &[2]), ErrorKind::TooLarge);
    assert_eq!(refused(&[1 << 40, 1 << 40], &[2, 2]), ErrorKind::TooLarge);
    assert_eq!(refused(&[4, 4], &[1 << 32, 1 << 33]), ErrorKind::TooLarge);
    assert_eq!(refused(&[1 << 31], &[1]), ErrorKind::TooLarge);
}

#[test]
fn the_largest_chunk_is_allowed_and_one_more_row_is_not() {
    let half = u64::try_from(MAX_CHUNK_BYTES).unwrap() / 2;
    assert!(Grid::new(&[10], &[half], DType::U16).is_ok());
    assert_eq!(Grid::new(&[10], &[half + 1], DType::U16).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn a_shape_of_five_thousand_million_is_kept_whole() {
    let grid = Grid::new(&[5_000_000_000], &[1 << 20], DType::U8).unwrap();
    let last = grid.chunks_in(&grid.bounds()).unwrap().last().unwrap();
    assert_eq!(*last, [4768]);
    assert_eq!(grid.clipped_region(&last).unwrap().unwrap().to_string(), "4999610368:5000000000");
}

#[test]
fn elements_below_zero_are_in_chunks_below_zero() {
    let grid = Grid::new(&[100, 100], &[10, 16], DType::U8).unwrap();
    assert_eq!(*grid.chunk_of(&[-1, -16]).unwrap(), [-1, -1]);
    assert_eq!(*grid.chunk_of(&[-10, -17]).unwrap(), [-1, -2]);
    assert_eq!(*grid.chunk_of(&[-11, 15]).unwrap(), [-2, 0]);
    let region = grid.chunk_region(&Coords::new(&[-1, -2]).unwrap()).unwrap();
    assert_eq!(region.to_string(), "-10:0,-32:-16");
    assert_eq!(grid.clipped_region(&Coords::new(&[-1, 0]).unwrap()).unwrap(), None);
    assert_eq!(grid.chunk_of(&[i64::MIN, 0]).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn chunks_at_the_edge_are_clipped_to_the_shape() {
    let grid = Grid::new(&[197, 233, 189], &[64, 64, 64], DType::U8).unwrap();
    assert_eq!(grid.chunk_counts(), [4, 4, 3]);
    assert_eq!(grid.chunk_count(), 48);
    let corner = Coords::new(&[3, 3, 2]).unwrap();
    assert_eq!(grid.chunk_region(&corner).unwrap().to_string(), "192:256,192:256,128:192");
    assert_eq!(grid.clipped_region(&corner).unwrap().unwrap().to_string(), "192:197,192:233,128:189");
}

#[test]
fn regions_out_of_bounds_are_refused() {
    let grid = Grid::new(&[10, 10], &[4, 4], DType::U8).unwrap();
    for text in ["0:11,0:10", "-1:5,0:5", "0:5", "10:11,0:1"] {
        let error = grid.check_region(&text.parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
    }
    grid.check_region(&"0:10,9:10".parse().unwrap()).unwrap();
}

#[test]
fn json_is_as_documented_and_checked_when_read() {
    let fill = Fill::parse(DType::F32, "NaN").unwrap();
    let grid = Grid::new(&[7, 9], &[4, 4], DType::F32).unwrap().with_fill(fill).unwrap();
    let json = serde_json::to_string(&grid).unwrap();
    assert_eq!(json, r#"{"shape":[7,9],"chunk_shape":[4,4],"dtype":"f32","fill":"NaN"}"#);
    assert_eq!(serde_json::from_str::<Grid>(&json).unwrap(), grid);
    for damaged in [json.replace("[4,4]", "[4,0]"), json.replace("NaN", "x"), json.replace("[7,9]", "[7]")] {
        assert!(serde_json::from_str::<Grid>(&damaged).is_err(), "{damaged}");
    }
    assert_eq!(grid.with_fill(Fill::zero(DType::U8)).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

proptest! {
    #[test]
    fn chunks_of_a_region_are_those_that_share_an_element_in_key_order(
        offset in prop::array::uniform3(-20i64..20),
        shape in prop::array::uniform3(0u64..12),
        chunk in prop::array::uniform3(1u64..6),
    ) {
        let grid = Grid::new(&[50, 50, 50], &chunk, DType::U8).unwrap();
        let region = Region::new(&offset, &shape).unwrap();
        let mut walk = grid.chunks_in(&region).unwrap();
        let count = walk.remaining();
        let found: Vec<Coords> = walk.by_ref().collect();
        prop_assert_eq!(walk.remaining(), 0);
        prop_assert_eq!(u64::try_from(found.len()).unwrap(), count);
        prop_assert!(found.is_sorted());
        let mut covered = 0;
        for chunk in &found {
            let part = grid.chunk_region(chunk).unwrap().intersection(&region);
            prop_assert!(part.is_some());
            covered += part.unwrap().elements();
        }
        prop_assert_eq!(covered, region.elements());
    }
}
