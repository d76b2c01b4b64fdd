//! Arrays of a file as stores of chunks, and files on a disk.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;

use array_file::{ArrayChunks, ArrayFile, ArraySpec, FileConfig, FillValue, SyncFile};
use chunks::{
    ChunkStore, Codec, Coords, DType, Fill, Grid, MemoryChunks, MemoryScales, MultiscaleStore, Region,
    Scales, read_region, stored_chunks, write_region,
};
use downres::{Reducer, recompute};
use engine_api::ErrorKind;
use object_store::local::LocalFileSystem;
use proptest::prelude::*;

fn file() -> (SyncFile, ArrayChunks) {
    let config = FileConfig { block_target_size: 64, ..FileConfig::default() };
    let file = SyncFile::open(ArrayFile::create_memory(config)).unwrap();
    let spec = ArraySpec::new::<i16>(&[9, 11]).chunk_shape(&[4, 3]).fill_value(FillValue::Int(-2));
    file.update(|file| file.define_array("a", spec).map(|_| ())).unwrap();
    let store = file.chunks("a").unwrap();
    (file, store)
}

fn memory() -> MemoryChunks {
    let grid = Grid::new(&[9, 11], &[4, 3], DType::I16).unwrap();
    MemoryChunks::new(grid.with_fill(Fill::parse(DType::I16, "-2").unwrap()).unwrap(), Codec::default())
}

/// A region, what is written to it, and whether a flush comes after.
fn writes() -> impl Strategy<Value = Vec<(Region, u8, bool)>> {
    let along = |length: i64| (0..length).prop_flat_map(move |from| (Just(from), 0..=length - from));
    let region = (along(9), along(11))
        .prop_map(|((y, h), (x, w))| Region::new(&[y, x], &[h.unsigned_abs(), w.unsigned_abs()]).unwrap());
    prop::collection::vec((region, 0u8..4, any::<bool>()), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn an_array_is_the_store_that_memory_is(writes in writes()) {
        let (file, store) = file();
        let memory = memory();
        for (region, value, flush) in writes {
            // The fill value is among the values: what holds nothing else isn't stored.
            let value = if value == 0 { -2i16 } else { i16::from(value) };
            let data = value.to_le_bytes().repeat(usize::try_from(region.elements()).unwrap());
            write_region(&store, &region, &data).unwrap();
            write_region(&memory, &region, &data).unwrap();
            if flush {
                file.flush().unwrap();
            }
        }
        let (mut ours, mut theirs) = (vec![0; 9 * 11 * 2], vec![0; 9 * 11 * 2]);
        read_region(&store, &store.grid().bounds(), &mut ours).unwrap();
        read_region(&memory, &memory.grid().bounds(), &mut theirs).unwrap();
        prop_assert_eq!(ours, theirs);
        prop_assert_eq!(stored_chunks(&store).unwrap(), stored_chunks(&memory).unwrap());
    }
}

#[test]
fn chunks_out_of_bounds_are_read_as_fill_and_not_written() {
    let (_, store) = file();
    let mut chunk = vec![0; store.grid().chunk_bytes()];
    for coords in [[-1, 0], [3, 0], [0, i32::MAX]] {
        let coords = Coords::new(&coords).unwrap();
        assert!(!store.read_chunk(&coords, &mut chunk).unwrap());
        assert!(store.grid().fill().fills(&chunk));
        let error = store.write_chunks(&[(coords, chunk.as_slice())]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    assert_eq!(
        store.read_chunk(&Coords::new(&[0]).unwrap(), &mut chunk).unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
}

#[test]
fn a_source_that_fails_leaves_nothing_pending() {
    let (file, store) = file();
    let chunk = vec![1; store.grid().chunk_bytes()];
    let short = vec![1; 3];
    let coords = |x| Coords::new(&[0, x]).unwrap();
    store.write_chunks(&[(coords(0), chunk), (coords(1), short)]).unwrap_err();
    assert_eq!(stored_chunks(&store).unwrap(), []);
    assert!(!file.read(|file| file.pending_chunks() > 0));
}

#[test]
fn a_store_outlives_attributes_and_not_a_resize_or_another_array_of_its_name() {
    let (file, store) = file();
    let region: Region = "0:2,0:2".parse().unwrap();
    file.update(|file| file.set_attribute("a", "units", "nm")).unwrap();
    write_region(&store, &region, &[1; 8]).unwrap();
    file.run(|file| Box::pin(file.resize("a", &[8, 8]))).unwrap();
    assert_eq!(write_region(&store, &region, &[1; 8]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    file.update(|file| file.delete("a")).unwrap();
    assert_eq!(write_region(&store, &region, &[1; 8]).unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn calls_from_an_executors_thread_answer_too() {
    let (file, store) = file();
    write_region(&store, &"0:2,0:2".parse().unwrap(), &[1; 8]).unwrap();
    // Nothing but the definition was committed before.
    assert_eq!(file.flush().unwrap(), 1);
    assert_eq!(stored_chunks(&store).unwrap().len(), 1);
}

#[test]
fn coarser_scales_are_made_from_an_array_as_in_memory() {
    let base = Grid::new(&[20, 30], &[8, 8], DType::U8).unwrap();
    let scales = Scales::halving(base).unwrap();
    let file = SyncFile::open(ArrayFile::create_memory(FileConfig::default())).unwrap();
    let names: Vec<String> = (0..scales.len()).map(|scale| format!("s{scale}")).collect();
    for (name, grid) in names.iter().zip(scales.grids()) {
        let spec = ArraySpec::new::<u8>(grid.shape()).chunk_shape(grid.chunk_shape());
        file.update(|file| file.define_array(name, spec).map(|_| ())).unwrap();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ours = file.scales(&names, scales.clone()).unwrap();
    let theirs = MemoryScales::new(scales.clone(), Codec::default());
    let data: Vec<u8> = (0..600u32).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
    for store in [&ours as &dyn MultiscaleStore, &theirs] {
        write_region(store.scale(0).unwrap(), &base.bounds(), &data).unwrap();
        recompute(store, Reducer::Mean, &base.bounds(), 1, &mut |_| Ok(())).unwrap();
    }
    assert_eq!(file.flush().unwrap(), 1);
    assert_eq!(scales.len(), 3);
    for (scale, grid) in scales.grids().iter().enumerate() {
        let bytes = grid.bounds().bytes(1).unwrap();
        let (mut a, mut b) = (vec![0; bytes], vec![1; bytes]);
        read_region(ours.scale(scale).unwrap(), &grid.bounds(), &mut a).unwrap();
        read_region(theirs.scale(scale).unwrap(), &grid.bounds(), &mut b).unwrap();
        assert_eq!(a, b, "scale {scale}");
    }
    assert!(file.scales(&names[..2], scales).is_err());
}

#[test]
fn files_are_on_a_disk_with_every_sync() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap().with_fsync(true));
    let create = ArrayFile::create(disk.clone(), "sub/a.af", FileConfig::default());
    let file = SyncFile::open(create).unwrap();
    file.update(|file| file.define_array("a", ArraySpec::new::<u8>(&[100, 100])).map(|_| ())).unwrap();
    let store = file.chunks("a").unwrap();
    let data: Vec<u8> = (0..10_000u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    write_region(&store, &store.grid().bounds(), &data).unwrap();
    file.flush().unwrap();
    file.run(|file| Box::pin(file.compact())).unwrap();
    drop((file, store));
    let names = ["a.af", "a.1.af", "a.stats", "a.commits/00000000000000000001.manifest"];
    assert!(names.iter().all(|name| folder.path().join("sub").join(name).is_file()));
    let opened = SyncFile::open(ArrayFile::open(disk, "sub/a.af", FileConfig::default())).unwrap();
    let mut read = vec![0; 10_000];
    let store = opened.chunks("a").unwrap();
    read_region(&store, &store.grid().bounds(), &mut read).unwrap();
    assert_eq!(read, data);
}
