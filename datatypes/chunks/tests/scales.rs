//! How arrays become coarser, and what is derived from what.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::atomic::{AtomicUsize, Ordering};

use chunks::{
    Codec, Coords, DType, DerivedChunks, Grid, MAX_SCALES, MemoryScales, MultiscaleStore, Region,
    ScaleReader, Scales, stored_chunks,
};
use engine_api::{ErrorKind, Result};
use proptest::prelude::*;

fn grid(shape: &[u64], chunk: &[u64]) -> Grid {
    Grid::new(shape, chunk, DType::U8).unwrap()
}

#[test]
fn halving_ends_when_a_chunk_holds_the_array() {
    let scales = Scales::halving(grid(&[197, 233, 189], &[64, 64, 64])).unwrap();
    let shapes: Vec<_> = scales.grids().iter().map(Grid::shape).collect();
    assert_eq!(shapes, [[197, 233, 189], [99, 117, 95], [50, 59, 48]]);
    let flat = Scales::halving(grid(&[10, 300], &[64, 64])).unwrap();
    assert_eq!(
        flat.grids().iter().map(Grid::shape).collect::<Vec<_>>(),
        [[10, 300], [10, 150], [10, 75], [10, 38]]
    );
    assert_eq!(Scales::halving(grid(&[5], &[1])).unwrap().len(), 4);
}

#[test]
fn an_array_that_begins_below_zero_is_halved_around_zero() {
    let base = grid(&[7], &[4]).with_origin(&[-1]).unwrap();
    let scales = Scales::new(base, &[vec![2], vec![2]]).unwrap();
    let bounds: Vec<_> = scales.grids().iter().map(|grid| grid.bounds().to_string()).collect();
    assert_eq!(bounds, ["-1:6", "-1:3", "-1:2"]);
    let chunk = |at| Coords::new(&[at]).unwrap();
    assert_eq!(scales.parent(1, &chunk(-1)).unwrap(), chunk(-1));
    assert_eq!(scales.parent(1, &chunk(1)).unwrap(), chunk(0));
    assert_eq!(scales.children(1, &chunk(-1)).unwrap().collect::<Vec<_>>(), [chunk(-1)]);
    assert_eq!(scales.children(1, &chunk(0)).unwrap().collect::<Vec<_>>(), [chunk(0), chunk(1)]);
}

#[test]
fn scales_that_cannot_be_are_refused() {
    let base = grid(&[100, 100], &[64, 64]);
    let refused = |factors: &[Vec<u64>]| Scales::new(base, factors).unwrap_err().kind();
    assert_eq!(refused(&[vec![2]]), ErrorKind::InvalidArgument);
    assert_eq!(refused(&[vec![1, 1]]), ErrorKind::InvalidArgument);
    assert_eq!(refused(&[vec![0, 2]]), ErrorKind::InvalidArgument);
    assert_eq!(refused(&[vec![u64::MAX, 2]]), ErrorKind::TooLarge);
    assert_eq!(refused(&[vec![1 << 10, 1 << 10]]), ErrorKind::TooLarge);
    assert_eq!(refused(&vec![vec![2, 2]; MAX_SCALES]), ErrorKind::TooLarge);
    let scales = Scales::single(base);
    assert_eq!(scales.grid(1).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(scales.total_factors(1).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn an_origin_has_limits() {
    let base = Grid::new(&[10], &[1], DType::U8).unwrap();
    assert!(base.with_origin(&[i64::from(i32::MIN)]).is_ok());
    assert_eq!(base.with_origin(&[i64::from(i32::MIN) - 1]).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(base.with_origin(&[i64::MAX]).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(base.with_origin(&[0, 0]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let moved = base.with_origin(&[-3]).unwrap();
    let json = r#"{"origin":[-3],"shape":[10],"chunk_shape":[1],"dtype":"u8","fill":"0"}"#;
    assert_eq!(serde_json::to_string(&moved).unwrap(), json);
    assert_eq!(serde_json::from_str::<Grid>(json).unwrap(), moved);
    assert_eq!((moved.chunk_counts(), moved.chunk_count()), (vec![10], 10));
    assert_eq!(grid(&[6], &[4]).with_origin(&[3]).unwrap().chunk_counts(), [3]);
}

#[test]
fn scales_survive_their_json() {
    let scales =
        Scales::new(grid(&[9, 9], &[4, 4]).with_origin(&[-5, 2]).unwrap(), &[vec![1, 3], vec![2, 2]])
            .unwrap();
    let json = serde_json::to_string(&scales).unwrap();
    assert_eq!(serde_json::from_str::<Scales>(&json).unwrap(), scales);
    assert!(serde_json::from_str::<Scales>(&json.replace("[1,3]", "[0,3]")).is_err());
}

/// One chunk of scale 1 that is a copy of chunk 0 of scale 0; the first attempt is disturbed by a write.
struct Disturbed<'a> {
    store: &'a MemoryScales,
    attempts: AtomicUsize,
    always: bool,
}

impl DerivedChunks for Disturbed<'_> {
    fn len(&self) -> usize {
        1
    }

    fn coords(&self, _: usize) -> Coords {
        Coords::new(&[0]).unwrap()
    }

    fn make(&self, _: usize, stored: &dyn ScaleReader, out: &mut [u8]) -> Result<()> {
        let zero = Coords::new(&[0])?;
        stored.read_chunk(0, &zero, out)?;
        if self.attempts.fetch_add(1, Ordering::Relaxed) == 0 || self.always {
            let same = if self.always { out.to_vec() } else { vec![9; 4] };
            self.store.scale(0)?.write_chunks(&[(zero, same)])?;
        }
        Ok(())
    }
}

#[test]
fn what_is_derived_fits_what_is_stored_beside_it() {
    let store = MemoryScales::new(Scales::new(grid(&[8], &[4]), &[vec![2]]).unwrap(), Codec::default());
    store.scale(0).unwrap().write_chunks(&[(Coords::new(&[0]).unwrap(), [1; 4])]).unwrap();
    let source = Disturbed { store: &store, attempts: AtomicUsize::new(0), always: false };
    store.derive(1, &source).unwrap();
    assert_eq!(source.attempts.into_inner(), 2);
    let mut out = [0; 4];
    assert!(store.scale(1).unwrap().read_chunk(&Coords::new(&[0]).unwrap(), &mut out).unwrap());
    assert_eq!(out, [9; 4]);
    let source = Disturbed { store: &store, attempts: AtomicUsize::new(0), always: true };
    assert_eq!(store.derive(1, &source).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(stored_chunks(store.scale(1).unwrap()).unwrap().len(), 1);
}

proptest! {
    /// The chunks that a chunk is made from, and no others, have it for their parent.
    #[test]
    fn parents_and_children_agree(
        (origin, shape, chunk, factors) in (1usize..=3).prop_flat_map(|rank| (
            prop::collection::vec(-20i64..20, rank),
            prop::collection::vec(1u64..40, rank),
            prop::collection::vec(1u64..7, rank),
            prop::collection::vec(1u64..4, rank),
        )).prop_filter("a coarser scale", |(_, _, _, factors)| factors.iter().any(|factor| *factor > 1)),
    ) {
        let base = grid(&shape, &chunk).with_origin(&origin).unwrap();
        let scales = Scales::new(base, &[factors]).unwrap();
        let coarse = *scales.grid(1).unwrap();
        let mut seen = 0;
        for parent in coarse.chunks_in(&coarse.bounds()).unwrap() {
            let children: Vec<Coords> = scales.children(1, &parent).unwrap().collect();
            prop_assert!(!children.is_empty());
            for child in &children {
                prop_assert_eq!(scales.parent(1, child).unwrap(), parent);
            }
            seen += children.len();
        }
        prop_assert_eq!(u64::try_from(seen).unwrap(), base.chunk_count());
        prop_assert_eq!(base.chunk_count(), base.chunks_in(&base.bounds()).unwrap().remaining());
        // Every element has its cell in bounds.
        let first = Region::new(&origin, &vec![1; origin.len()]).unwrap();
        prop_assert!(coarse.bounds().contains(&scales.coarser_region(1, &first).unwrap()));
        let all = scales.finer_region(1, &coarse.bounds()).unwrap();
        prop_assert!(all.contains(&base.bounds()));
    }
}
