//! Volumes as stores of chunks: beside memory, as pyramids, from many threads, and from async code.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use blockfs::{
    AsyncBlockFs, BlockFs, BlockFsSpec, BlockScales, BlockState, BlockWriter, ElementType, compact,
};
use chunks::{
    ChunkStore, Codec, DType, DerivedChunks, Grid, MemoryChunks, MemoryScales, MultiscaleStore, Region,
    ScaleReader, Scales, read_region, stored_chunks, write_region,
};
use common::{at, blocks, create, place, read, silent, spec, voxels};
use downres::{Reducer, recompute};
use engine_api::ErrorKind;
use proptest::prelude::*;

fn region() -> impl Strategy<Value = Region> {
    let along = |length: i64| (0..length).prop_flat_map(move |from| (Just(from), 0..=length - from));
    (along(9), along(11), along(14)).prop_map(|((z, d), (y, h), (x, w))| {
        Region::new(&[z, y, x], &[d, h, w].map(i64::unsigned_abs)).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_volume_is_the_store_that_memory_is(
        writes in prop::collection::vec((region(), 0i16..4, any::<bool>()), 0..12),
        compat in any::<bool>(),
    ) {
        let (_folder, path) = place();
        let spec = BlockFsSpec::new([9, 11, 14], [4, 3, 5], DType::I16).files(2).compat(compat);
        let volume = create(&path, &spec);
        let writer = BlockWriter::open(&path).unwrap();
        let memory = MemoryChunks::new(*volume.grid(), Codec::default());
        for (region, value, flush) in writes {
            // Zero is among the values: a chunk that holds nothing else isn't stored.
            let data = value.to_le_bytes().repeat(usize::try_from(region.elements()).unwrap());
            write_region(&writer, &region, &data).unwrap();
            write_region(&memory, &region, &data).unwrap();
            if flush {
                writer.flush().unwrap();
            }
        }
        let bounds = volume.grid().bounds();
        let (mut ours, mut theirs) = (vec![0; 9 * 11 * 14 * 2], vec![1; 9 * 11 * 14 * 2]);
        read_region(&writer, &bounds, &mut ours).unwrap();
        read_region(&memory, &bounds, &mut theirs).unwrap();
        prop_assert_eq!(&ours, &theirs);
        prop_assert_eq!(stored_chunks(&writer).unwrap(), stored_chunks(&memory).unwrap());
        writer.close().unwrap();
        volume.read_region(&bounds, &mut ours).unwrap();
        prop_assert_eq!(ours, theirs);
        prop_assert_eq!(stored_chunks(&volume).unwrap(), stored_chunks(&memory).unwrap());
    }
}

#[test]
fn chunks_out_of_bounds_are_read_as_zeros_and_not_written() {
    let (_folder, path) = place();
    let volume = create(&path, &spec());
    let writer = BlockWriter::open(&path).unwrap();
    let mut chunk = vec![1; volume.grid().chunk_bytes()];
    for coords in [at(-1, 0, 0), at(0, 0, 5), at(0, i32::MAX, 0)] {
        assert!(!writer.read_chunk(&coords, &mut chunk).unwrap());
        assert!(volume.grid().fill().fills(&chunk));
        let error = writer.write_chunks(&[(coords, chunk.as_slice())]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    let error = ChunkStore::write_chunks(&volume, &[(at(0, 0, 0), chunk.as_slice())]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly);
}

#[test]
fn types_that_chunks_do_not_know_are_written_by_the_block() {
    for (name, size) in [("float16", 2), ("complex64", 8), ("complex128", 16), ("datetime64[ns]", 8)] {
        let (_folder, path) = place();
        let spec = BlockFsSpec::new([5, 9, 9], [4, 8, 8], ElementType::from_numpy(name).unwrap()).files(1);
        let volume = create(&path, &spec);
        assert_eq!(volume.info().unwrap().element.numpy_name(), name);
        let writer = BlockWriter::open(&path).unwrap();
        for block in blocks(&volume) {
            writer.write_block(&block, &voxels(&volume, &block, 1)).unwrap();
        }
        writer.close().unwrap();
        for block in blocks(&volume) {
            assert!(read(&volume, &block) == voxels(&volume, &block, 1), "{name}, {block}");
        }
        assert_eq!(volume.verify(&mut silent).unwrap().counts.committed, 8);
        let mut region = vec![0; 5 * 9 * 9 * size];
        match volume.read_region(&volume.grid().bounds(), &mut region) {
            Ok(()) => assert_eq!(region[..2], voxels(&volume, &at(0, 0, 0), 1)[..2]),
            Err(error) => {
                assert_eq!(size, 16);
                assert!(matches!(error.kind(), ErrorKind::Unsupported), "{error}");
            }
        }
    }
}

#[test]
fn a_source_that_fails_leaves_nothing_behind() {
    let (_folder, path) = place();
    let volume = create(&path, &spec());
    let writer = BlockWriter::open(&path).unwrap();
    let chunk = vec![1; volume.grid().chunk_bytes()];
    writer.write_chunks(&[(at(0, 0, 0), chunk), (at(0, 0, 1), vec![1; 3])]).unwrap_err();
    assert_eq!(stored_chunks(&writer).unwrap(), []);
    assert_eq!(writer.waiting(), 0);
    writer.close().unwrap();
    assert_eq!(volume.counts(&mut silent).unwrap().missing, 60, "nothing was lost, for nothing was written");
}

#[test]
fn of_a_chunk_that_is_named_twice_the_last_counts() {
    let (_folder, path) = place();
    let volume = create(&path, &spec());
    let writer = BlockWriter::open(&path).unwrap();
    let chunk = |value| vec![value; volume.grid().chunk_bytes()];
    for _ in 0..20 {
        writer
            .write_chunks(&[(at(0, 0, 0), chunk(1)), (at(0, 0, 2), chunk(2)), (at(0, 0, 0), chunk(3))])
            .unwrap();
        let mut out = chunk(0);
        writer.read_chunk(&at(0, 0, 0), &mut out).unwrap();
        assert_eq!(out, chunk(3));
    }
}

/// A volume for each scale of a base.
fn pyramid(folder: &std::path::Path, scales: &Scales) -> BlockScales {
    let writers = scales.grids().iter().enumerate().map(|(scale, grid)| {
        let path = folder.join(format!("{scale}.blockfs"));
        let three = |lengths: &[u64]| [lengths[0], lengths[1], lengths[2]];
        create(
            &path,
            &BlockFsSpec::new(three(grid.shape()), three(grid.chunk_shape()), grid.dtype()).files(2),
        );
        BlockWriter::open(path).unwrap()
    });
    BlockScales::new(scales.clone(), writers.collect()).unwrap()
}

#[test]
fn coarser_scales_are_made_as_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let base = Grid::new(&[20, 30, 17], &[8, 8, 8], DType::U8).unwrap();
    let scales = Scales::halving(base).unwrap();
    let ours = pyramid(folder.path(), &scales);
    let theirs = MemoryScales::new(scales.clone(), Codec::default());
    let data: Vec<u8> = (0..20 * 30 * 17u32).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
    for store in [&ours as &dyn MultiscaleStore, &theirs] {
        write_region(store.scale(0).unwrap(), &base.bounds(), &data).unwrap();
        recompute(store, Reducer::Mean, &base.bounds(), 1, &mut |_| Ok(())).unwrap();
    }
    ours.flush().unwrap();
    assert!(scales.grids().len() > 2);
    for (scale, grid) in scales.grids().iter().enumerate() {
        let bytes = grid.bounds().bytes(1).unwrap();
        let (mut a, mut b) = (vec![0; bytes], vec![1; bytes]);
        BlockFs::open(folder.path().join(format!("{scale}.blockfs")))
            .unwrap()
            .read_region(&grid.bounds(), &mut a)
            .unwrap();
        read_region(theirs.scale(scale).unwrap(), &grid.bounds(), &mut b).unwrap();
        assert_eq!(a, b, "scale {scale}");
    }
}

/// Makes a chunk from one, which somebody changes after the first look at it.
struct Changed<'a> {
    scales: &'a BlockScales,
    looks: AtomicUsize,
}

impl DerivedChunks for Changed<'_> {
    fn len(&self) -> usize {
        1
    }

    fn coords(&self, _: usize) -> chunks::Coords {
        at(0, 0, 0)
    }

    fn make(&self, _: usize, stored: &dyn ScaleReader, out: &mut [u8]) -> engine_api::Result<()> {
        stored.read_chunk(0, &at(0, 0, 0), out)?;
        if self.looks.fetch_add(1, Ordering::SeqCst) == 0 {
            let base = self.scales.writer(0)?;
            base.write_block(&at(0, 0, 0), &[9; 512])?;
            base.flush()?;
        }
        Ok(())
    }
}

#[test]
fn what_was_derived_from_what_has_changed_does_not_land() {
    let folder = tempfile::tempdir().unwrap();
    let base = Grid::new(&[16, 16, 16], &[8, 8, 8], DType::U8).unwrap();
    let scales = Scales::halving(base).unwrap();
    let ours = pyramid(folder.path(), &scales);
    ours.writer(0).unwrap().write_block(&at(0, 0, 0), &[1; 512]).unwrap();
    let source = Changed { scales: &ours, looks: AtomicUsize::new(0) };
    ours.derive(1, &source).unwrap();
    assert_eq!(source.looks.into_inner(), 2);
    let mut out = vec![0; 512];
    ours.scale(1).unwrap().read_chunk(&at(0, 0, 0), &mut out).unwrap();
    assert_eq!(out, [9; 512]);
}

#[test]
fn many_threads_write_one_volume() {
    let (_folder, path) = place();
    let volume = create(&path, &spec());
    let all = blocks(&volume);
    let writer = BlockWriter::open(&path).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (all, writer, volume) = (&all, &writer, &volume);
            scope.spawn(move || {
                for round in 0..5 {
                    for block in all.iter().skip(thread).step_by(8) {
                        writer.write_block(block, &voxels(volume, block, round)).unwrap();
                        let mut own = vec![0; volume.block_bytes(block).unwrap()];
                        writer.read_block(block, &mut own).unwrap();
                        assert!(own == voxels(volume, block, round));
                    }
                    writer.flush().unwrap();
                }
            });
        }
        // A reader sees some value or none, and never a part of one.
        for round in 0..20 {
            let block = &all[round % all.len()];
            let found = read(&volume, block);
            let known = (0..5).any(|round| found == voxels(&volume, block, round));
            assert!(known || found.iter().all(|byte| *byte == 0), "{block}");
        }
    });
    writer.close().unwrap();
    assert!(all.iter().all(|block| read(&volume, block) == voxels(&volume, block, 4)));
    assert_eq!(volume.verify(&mut silent).unwrap().counts.committed, all.len() as u64);
}

#[test]
fn a_reader_that_is_open_goes_on_through_compactions() {
    let (_folder, path) = place();
    let volume = create(&path, &spec());
    let all = blocks(&volume);
    for round in 0..10 {
        let writer = BlockWriter::open(&path).unwrap();
        for block in &all {
            writer.write_block(block, &voxels(&volume, block, round)).unwrap();
        }
        writer.close().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| compact(&path, &mut silent).unwrap());
            for block in &all {
                assert!(read(&volume, block) == voxels(&volume, block, round), "{block}, round {round}");
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn async_code_reads_and_writes() {
    let (_folder, path) = place();
    let volume = create(&path, &spec());
    let writable = AsyncBlockFs::open_writable(&path).await.unwrap();
    let tasks: Vec<_> = blocks(&volume)
        .into_iter()
        .map(|block| {
            let (writable, data) = (writable.clone(), voxels(&volume, &block, 1));
            tokio::spawn(async move { writable.write_block(block, data).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let region: Region = "3:5,4:9,6:20".parse().unwrap();
    let data = vec![3; region.bytes(2).unwrap()];
    writable.write_region(region, data.clone()).await.unwrap();
    writable.flush().await.unwrap();
    let readable = AsyncBlockFs::open(&path).await.unwrap();
    assert_eq!(readable.read_region(region).await.unwrap(), data);
    let block = at(2, 3, 4);
    assert_eq!(
        readable.read_block(block).await.unwrap(),
        (BlockState::Committed, voxels(&volume, &block, 1))
    );
    assert_eq!(readable.write_block(block, Vec::new()).await.unwrap_err().kind(), ErrorKind::ReadOnly);
}
