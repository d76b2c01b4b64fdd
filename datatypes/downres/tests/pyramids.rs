//! Pyramids made in every way there is are the same, bit by bit.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use chunks::{
    Codec, Coords, DType, Fill, Grid, MemoryScales, MultiscaleStore, Region, Scales, copy_region,
    read_region, stored_chunks, write_region,
};
use downres::{
    Downreser, Downscaler, Journal, Mutation, NoJournal, Reducer, ScaleProgress, Stale, Updater, VoxelSource,
    ingest, recompute, reduce_region, verify,
};
use engine_api::{Error, ErrorKind, Result};
use proptest::prelude::*;

/// An array in memory, as a source and as the input of the naive pyramid.
struct Array {
    bounds: Region,
    dtype: DType,
    data: Vec<u8>,
}

impl Array {
    /// Blocks of few values, and the fill value in many places.
    fn new(scales: &Scales, seed: u64) -> Self {
        let (grid, bounds) = (scales.base(), scales.base().bounds());
        let mut data = vec![0; bounds.bytes(grid.element_size()).unwrap()];
        for (index, element) in data.chunks_exact_mut(grid.element_size()).enumerate() {
            let mut state = seed ^ (u64::try_from(index).unwrap() / 7).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            state = (state ^ (state >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            state ^= state >> 32;
            match state % 4 {
                0 => element.copy_from_slice(grid.fill().bytes()),
                _ => element[0] = u8::try_from(state >> 56).unwrap() % 5,
            }
        }
        Self { bounds, dtype: grid.dtype(), data }
    }

    fn part(&self, region: &Region) -> Vec<u8> {
        let size = self.dtype.size();
        let mut out = vec![0; region.bytes(size).unwrap()];
        copy_region(&self.data, &self.bounds, &mut out, region, region, size).unwrap();
        out
    }
}

impl VoxelSource for Array {
    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        copy_region(&self.data, &self.bounds, out, region, region, self.dtype.size())
    }
}

/// All scales as whole arrays.
fn contents(store: &MemoryScales) -> Vec<Vec<u8>> {
    store
        .scales()
        .grids()
        .iter()
        .enumerate()
        .map(|(scale, grid)| {
            let mut out = vec![0; grid.bounds().bytes(grid.element_size()).unwrap()];
            read_region(store.scale(scale).unwrap(), &grid.bounds(), &mut out).unwrap();
            out
        })
        .collect()
}

fn stored(store: &MemoryScales) -> Vec<Vec<Coords>> {
    (0..store.scales().len()).map(|scale| stored_chunks(store.scale(scale).unwrap()).unwrap()).collect()
}

/// Every scale from the whole of the one before.
fn naive(scales: &Scales, reducer: Reducer, array: &Array) -> Vec<Vec<u8>> {
    let mut levels = vec![array.data.clone()];
    for scale in 1..scales.len() {
        let (fine, coarse) = (scales.grid(scale - 1).unwrap().bounds(), scales.grid(scale).unwrap().bounds());
        let mut out = vec![0xAA; coarse.bytes(array.dtype.size()).unwrap()];
        let factors = scales.factors(scale).unwrap();
        let last = levels.last().unwrap();
        reduce_region(reducer, array.dtype, factors, last, &fine, &fine, &mut out, &coarse).unwrap();
        levels.push(out);
    }
    levels
}

fn ingested(scales: &Scales, reducer: Reducer, array: &Array) -> MemoryScales {
    let store = MemoryScales::new(scales.clone(), Codec::NONE);
    ingest(&store, Some(array), reducer, &NoJournal, &|_| Ok(())).unwrap();
    store
}

fn full_resolution(scales: &Scales, array: &Array) -> MemoryScales {
    let store = MemoryScales::new(scales.clone(), Codec::NONE);
    write_region(store.scale(0).unwrap(), &array.bounds, &array.data).unwrap();
    store
}

fn stale(store: &MemoryScales, reducer: Reducer) -> Vec<Stale> {
    let mut found = Vec::new();
    let bounds = store.scales().base().bounds();
    let mut note = |stale| {
        found.push(stale);
        Ok(())
    };
    verify(store, reducer, &bounds, 1, &mut note, &mut |_| Ok(())).unwrap();
    found
}

fn scales_of(origin: &[i64], shape: &[u64], chunk: &[u64], factors: &[Vec<u64>], fill: &str) -> Scales {
    let grid = Grid::new(shape, chunk, DType::U16).unwrap().with_fill(Fill::parse(DType::U16, fill).unwrap());
    Scales::new(grid.unwrap().with_origin(origin).unwrap(), factors).unwrap()
}

fn any_scales() -> impl Strategy<Value = Scales> {
    (1usize..=3, 0u8..2).prop_flat_map(|(rank, fill)| {
        (
            prop::collection::vec(-9i64..9, rank),
            prop::collection::vec(1u64..20, rank),
            prop::collection::vec(1u64..6, rank),
            prop::collection::vec(prop::collection::vec(1u64..4, rank), 1..4),
        )
            .prop_map(move |(origin, shape, chunk, mut factors)| {
                factors.retain(|factors| factors.iter().any(|factor| *factor > 1));
                scales_of(&origin, &shape, &chunk, &factors, if fill == 0 { "0" } else { "3" })
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// By mutations of one chunk each in random order, by ingestion, by recomputation, and naively.
    #[test]
    fn every_way_makes_the_same_pyramid(
        scales in any_scales(),
        reducer in prop::sample::select(Reducer::ALL),
        seed in any::<u64>(),
    ) {
        let array = Array::new(&scales, seed);
        let expected = naive(&scales, reducer, &array);

        let whole = ingested(&scales, reducer, &array);
        prop_assert_eq!(contents(&whole), expected);
        prop_assert_eq!(stale(&whole, reducer), []);

        let again = full_resolution(&scales, &array);
        recompute(&again, reducer, &array.bounds, 1.min(scales.len()), &mut |_| Ok(())).unwrap();
        prop_assert_eq!(contents(&again), contents(&whole));
        prop_assert_eq!(stored(&again), stored(&whole));

        let downscaler = Downscaler::new(MemoryScales::new(scales.clone(), Codec::NONE), reducer);
        let base = *scales.base();
        let mut chunks: Vec<Coords> = base.chunks_in(&array.bounds).unwrap().collect();
        let mut state = seed | 1;
        chunks.sort_by_cached_key(|_| {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            state >> 33
        });
        for chunk in &chunks {
            let part = base.clipped_region(chunk).unwrap().unwrap();
            write_region(downscaler.store().scale(0).unwrap(), &part, &array.part(&part)).unwrap();
            let mutation = Mutation::new(&downscaler, seed).unwrap();
            mutation.chunk_mutated(chunk).unwrap();
            mutation.execute().unwrap();
        }
        prop_assert_eq!(contents(downscaler.store()), contents(&whole));
        prop_assert_eq!(stored(downscaler.store()), stored(&whole));

        // And all of it goes again.
        for chunk in &chunks {
            let mutation = Mutation::new(&downscaler, seed).unwrap();
            downscaler.store().scale(0).unwrap().delete_chunks(&[*chunk]).unwrap();
            mutation.chunk_deleted(chunk).unwrap();
            mutation.execute().unwrap();
        }
        prop_assert!(stored(downscaler.store()).iter().all(Vec::is_empty));
    }
}

#[test]
fn one_blank_octant_leaves_its_seven_siblings() {
    // Eight chunks that become one: blanking the first is no reason to touch what comes from the others.
    let scales = scales_of(&[0; 3], &[8; 3], &[4; 3], &[vec![2; 3]], "0");
    let downscaler = Downscaler::new(MemoryScales::new(scales.clone(), Codec::NONE), Reducer::ModeNonzero);
    let base = *scales.base();
    let mutation = Mutation::new(&downscaler, 1).unwrap();
    for (label, chunk) in (1u16..).zip(base.chunks_in(&base.bounds()).unwrap()) {
        let part = base.chunk_region(&chunk).unwrap();
        write_region(downscaler.store().scale(0).unwrap(), &part, &label.to_le_bytes().repeat(64)).unwrap();
        mutation.chunk_mutated(&chunk).unwrap();
    }
    mutation.execute().unwrap();
    let first = Coords::new(&[0, 0, 0]).unwrap();
    downscaler.store().scale(0).unwrap().write_chunks(&[(first, [0; 128])]).unwrap();
    let mutation = Mutation::new(&downscaler, 2).unwrap();
    mutation.chunk_mutated(&first).unwrap();
    mutation.execute().unwrap();
    let corner = |z: i64, y: i64, x: i64| {
        let mut out = [0; 2];
        let at = Region::new(&[z * 2, y * 2, x * 2], &[1; 3]).unwrap();
        read_region(downscaler.store().scale(1).unwrap(), &at, &mut out).unwrap();
        u16::from_le_bytes(out)
    };
    let corners: Vec<u16> = (0..8).map(|octant| corner(octant / 4, octant / 2 % 2, octant % 2)).collect();
    assert_eq!(corners, [0, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn mutations_that_share_a_parent_lose_nothing_to_each_other() {
    // Eight threads, each with every eighth chunk of full resolution: all parents are shared.
    let scales =
        scales_of(&[-5, -5, -5], &[24, 21, 17], &[4, 4, 4], &[vec![2; 3], vec![2; 3], vec![2; 3]], "0");
    let array = Array::new(&scales, 77);
    for reducer in [Reducer::Mean, Reducer::ModeNonzero, Reducer::Stride] {
        let downscaler = Downscaler::new(MemoryScales::new(scales.clone(), Codec::NONE), reducer);
        let base = *scales.base();
        let chunks: Vec<Coords> = base.chunks_in(&array.bounds).unwrap().collect();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (downscaler, chunks, array) = (&downscaler, &chunks, &array);
                scope.spawn(move || {
                    for chunk in chunks.iter().skip(thread).step_by(8) {
                        let part = base.clipped_region(chunk).unwrap().unwrap();
                        let mutation = Mutation::new(downscaler, 0).unwrap();
                        write_region(downscaler.store().scale(0).unwrap(), &part, &array.part(&part))
                            .unwrap();
                        mutation.chunk_mutated(chunk).unwrap();
                        mutation.execute().unwrap();
                    }
                });
            }
        });
        assert_eq!(contents(downscaler.store()), naive(&scales, reducer, &array), "{reducer}");
        assert!(!downscaler.updater().any_updating());
    }
}

#[test]
fn writers_of_one_chunk_leave_the_scales_of_the_last() {
    // All threads write the same chunk: whoever is last, the coarser scales are those of what is stored.
    let scales = scales_of(&[0], &[64], &[8], &[vec![2], vec![2]], "0");
    let downscaler = Downscaler::new(MemoryScales::new(scales.clone(), Codec::NONE), Reducer::Mean);
    let chunk = Coords::new(&[3]).unwrap();
    for round in 0..50u16 {
        std::thread::scope(|scope| {
            for thread in 0..4u16 {
                let downscaler = &downscaler;
                scope.spawn(move || {
                    let data = (round * 4 + thread + 1).to_le_bytes().repeat(8);
                    let mutation = Mutation::new(downscaler, 0).unwrap();
                    downscaler.store().scale(0).unwrap().write_chunks(&[(chunk, data)]).unwrap();
                    mutation.chunk_mutated(&chunk).unwrap();
                    mutation.execute().unwrap();
                });
            }
        });
        assert_eq!(stale(downscaler.store(), Reducer::Mean), [], "round {round}");
    }
}

#[test]
fn a_mutation_that_fails_leaves_nothing_updating() {
    let scales = scales_of(&[0], &[64], &[8], &[vec![2]], "0");
    let downscaler = Downscaler::new(MemoryScales::new(scales, Codec::NONE), Reducer::Mean);
    let mutation = Mutation::new(&downscaler, 5).unwrap();
    assert_eq!(mutation.id(), 5);
    assert!(downscaler.updater().is_updating(1) && !downscaler.updater().is_updating(0));
    let outside = Coords::new(&[8]).unwrap();
    assert_eq!(mutation.chunk_mutated(&outside).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(
        mutation.region_mutated(&"60:65".parse().unwrap()).unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
    drop(mutation);
    downscaler.updater().block_on_updating();
    assert_eq!(downscaler.downres(1, &[outside]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(downscaler.downres(0, &[]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(downscaler.downres(2, &[]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let narrow = downscaler.with_updater(Updater::new(1));
    assert_eq!(Mutation::new(&narrow, 6).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn what_was_changed_behind_the_back_of_the_scales_is_found_and_mended() {
    let scales = scales_of(&[0, 0], &[40, 40], &[8, 8], &[vec![2, 2], vec![2, 2]], "0");
    let array = Array::new(&scales, 3);
    let store = ingested(&scales, Reducer::Median, &array);
    let chunk = Coords::new(&[1, 0]).unwrap();
    store.scale(1).unwrap().write_chunks(&[(chunk, [7; 128])]).unwrap();
    let parent = Coords::new(&[0, 0]).unwrap();
    assert_eq!(
        stale(&store, Reducer::Median),
        [Stale { scale: 1, chunk }, Stale { scale: 2, chunk: parent }],
        "the chunk, and what is no longer made from it"
    );
    let whole = array.bounds;
    let elsewhere: Region = "0:8,0:8".parse().unwrap();
    recompute(&store, Reducer::Median, &elsewhere, 1, &mut |_| Ok(())).unwrap();
    assert_eq!(
        stale(&store, Reducer::Median).len(),
        1,
        "scale 2 of that region is made from the wrong chunk now"
    );
    recompute(&store, Reducer::Median, &whole, 1, &mut |_| Ok(())).unwrap();
    assert_eq!(stale(&store, Reducer::Median), []);
    assert_eq!(contents(&store), naive(&scales, Reducer::Median, &array));
    let refused = |region: &str, first| {
        let region = region.parse().unwrap();
        recompute(&store, Reducer::Median, &region, first, &mut |_| Ok(())).unwrap_err().kind()
    };
    assert_eq!(refused("0:41,0:40", 1), ErrorKind::InvalidArgument);
    assert_eq!(refused("0:40,0:40", 0), ErrorKind::InvalidArgument);
    assert_eq!(refused("0:40,0:40", 4), ErrorKind::InvalidArgument);
}

/// Keeps a journal, and counts how much of its source is read.
struct Counting<'a> {
    array: &'a Array,
    elements: AtomicU64,
    finished: Mutex<BTreeSet<usize>>,
}

impl VoxelSource for Counting<'_> {
    fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        self.elements.fetch_add(region.elements(), Ordering::Relaxed);
        self.array.read_region(region, out)
    }
}

impl Journal for Counting<'_> {
    fn finished(&self, _: usize) -> Result<BTreeSet<usize>> {
        Ok(self.finished.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn finish(&self, task: usize) -> Result<()> {
        let fresh = self.finished.lock().unwrap_or_else(PoisonError::into_inner).insert(task);
        assert!(fresh, "a task is finished once");
        Ok(())
    }
}

#[test]
fn an_ingestion_that_was_stopped_goes_on() {
    let scales =
        scales_of(&[0; 3], &[40; 3], &[4; 3], &[vec![2; 3], vec![2; 3], vec![2; 3], vec![2; 3]], "0");
    let array = Array::new(&scales, 11);
    let store = MemoryScales::new(scales.clone(), Codec::NONE);
    let source = Counting { array: &array, elements: AtomicU64::new(0), finished: Mutex::default() };
    let mut stops = 0;
    // Stopped after every few hundred chunks, until it isn't.
    loop {
        let begun = AtomicU64::new(0);
        let stop = |_: ScaleProgress| {
            if begun.fetch_add(1, Ordering::Relaxed) < 300 {
                return Ok(());
            }
            Err(Error::new(ErrorKind::Unavailable, "stopped"))
        };
        match ingest(&store, Some(&source), Reducer::Mode, &source, &stop) {
            Ok(()) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        }
        stops += 1;
        assert!(stops < 20, "it gets on");
    }
    assert!(stops >= 2);
    assert_eq!(contents(&store), naive(&scales, Reducer::Mode, &array));
    let read = source.elements.into_inner();
    assert!(
        read < 2 * array.bounds.elements(),
        "{read} elements were read: what was finished isn't read again"
    );
}
