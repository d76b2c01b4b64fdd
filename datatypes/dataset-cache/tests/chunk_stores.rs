//! Stores of chunks behind a cache: read once, never stale, regions and lists as without it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(clippy::cast_possible_truncation, reason = "seeds are small")]

mod common;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use chunks::{
    ChunkSink, ChunkSource, ChunkStore, Codec, Coords, DType, Fill, Grid, MemoryChunks, read_region,
    stored_chunks, write_region,
};
use common::faulty::{Fault, FaultyFile};
use common::{data, dataset, exact, place};
use dataset_cache::{Cached, DatasetCache, DatasetId};
use engine_api::{Error, ErrorKind, Result};

/// A store that counts what it is asked for, and can be made to wait and to fail.
#[derive(Debug)]
struct Slow {
    chunks: MemoryChunks,
    reads: AtomicUsize,
    bulk: AtomicUsize,
    /// Each read says that it has begun, and waits to be let go on, once there is somebody to say it to.
    gate: Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>>,
}

impl Slow {
    fn new() -> Self {
        let grid = Grid::new(&[40, 40], &[16, 16], DType::U16).unwrap();
        let grid = grid.with_fill(Fill::from_bytes(DType::U16, &[9, 1]).unwrap()).unwrap();
        Self {
            chunks: MemoryChunks::new(grid, Codec::default()),
            reads: AtomicUsize::new(0),
            bulk: AtomicUsize::new(0),
            gate: Mutex::default(),
        }
    }
}

impl ChunkStore for Slow {
    fn grid(&self) -> &Grid {
        self.chunks.grid()
    }

    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let read = self.chunks.read_chunk(chunk, out);
        let gate = self.gate.lock().unwrap().take();
        if let Some((began, go_on)) = gate {
            began.send(()).unwrap();
            go_on.recv().unwrap();
        }
        read
    }

    fn write_chunks(&self, source: &dyn ChunkSource) -> Result<()> {
        self.chunks.write_chunks(source)
    }

    fn delete_chunks(&self, chunks: &[Coords]) -> Result<()> {
        self.chunks.delete_chunks(chunks)
    }

    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
        self.chunks.list_chunks(visit)
    }

    fn read_chunks(&self, chunks: &[Coords], sink: &ChunkSink<'_>) -> Result<()> {
        self.bulk.fetch_add(1, Ordering::SeqCst);
        self.reads.fetch_add(chunks.len(), Ordering::SeqCst);
        self.chunks.read_chunks(chunks, sink)
    }

    fn exclusively(&self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.chunks.exclusively(work)
    }
}

fn at(y: i32, x: i32) -> Coords {
    Coords::new(&[y, x]).unwrap()
}

fn chunk(store: &dyn ChunkStore, seed: u64) -> Vec<u8> {
    data(0, seed, store.grid().chunk_bytes())
}

fn read(store: &dyn ChunkStore, chunk: &Coords) -> Option<Vec<u8>> {
    let mut out = vec![0xEE; store.grid().chunk_bytes()];
    let stored = store.read_chunk(chunk, &mut out).unwrap();
    assert!(stored || store.grid().fill().fills(&out));
    stored.then_some(out)
}

#[test]
fn each_chunk_is_read_once_absent_ones_too() {
    let (_folder, path) = place();
    let cache = Arc::new(DatasetCache::create(&path, 1 << 20).unwrap());
    let cached = Cached::new(Slow::new(), cache.clone(), dataset(), 0);
    cached.store().write_chunks(&[(at(0, 1), chunk(&cached, 1))]).unwrap();
    for _ in 0..3 {
        assert!(read(&cached, &at(0, 1)) == Some(chunk(&cached, 1)));
        assert_eq!(read(&cached, &at(2, 2)), None);
        assert_eq!(read(&cached, &at(70, 2)), None, "out of bounds is absent");
    }
    assert_eq!(cached.store().reads.load(Ordering::SeqCst), 3);
    // Another level and another dataset have chunks of their own.
    let lod = Cached::new(Slow::new(), cache.clone(), dataset(), 1);
    assert_eq!(read(&lod, &at(0, 1)), None);
    let other = Cached::new(Slow::new(), cache.clone(), DatasetId::of_parts(&[b"other"]), 0);
    assert_eq!(read(&other, &at(0, 1)), None);
    // What is wrong to ask is wrong behind a cache.
    let error = cached.read_chunk(&at(0, 1), &mut [0; 3]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let error = cached.read_chunk(&Coords::new(&[0]).unwrap(), &mut vec![0; 512]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    drop((cached, lod, other));
    drop(Arc::into_inner(cache).unwrap());
    // And by the next process, which only reads.
    let cache = Arc::new(DatasetCache::open(&path, true).unwrap());
    let cached = Cached::new(Slow::new(), cache, dataset(), 0);
    assert!(read(&cached, &at(0, 1)) == Some(chunk(&cached, 1)));
    assert_eq!((read(&cached, &at(2, 2)), read(&cached, &at(1, 1))), (None, None));
    assert_eq!(cached.store().reads.load(Ordering::SeqCst), 1);
    let error = cached.write_chunks(&[(at(0, 1), chunk(&cached, 2))]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "what is cached would be stale");
}

#[test]
fn regions_are_those_of_the_store_and_many_are_read_at_once() {
    let (_folder, path) = place();
    let cache = Arc::new(DatasetCache::create(&path, 1 << 20).unwrap());
    let cached = Cached::new(Slow::new(), cache.clone(), dataset(), 0);
    let plain = Slow::new();
    let bounds = cached.grid().bounds();
    let bytes = bounds.bytes(2).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    for round in 0..40 {
        let [y, x] = [random.u32(0..30), random.u32(0..30)];
        let region = format!("{y}:{},{x}:{}", y + 1 + random.u32(..10), x + 1 + random.u32(..10));
        let region = region.parse::<chunks::Region>().unwrap();
        let values = data(round, 1, region.bytes(2).unwrap());
        for store in [&cached as &dyn ChunkStore, &plain] {
            write_region(store, &region, &values).unwrap();
        }
        if round % 7 == 0 {
            let gone = [at(random.i32(0..3), random.i32(0..3))];
            cached.delete_chunks(&gone).unwrap();
            plain.delete_chunks(&gone).unwrap();
        }
        for _ in 0..2 {
            let mut both = [vec![0; bytes], vec![1; bytes]];
            read_region(&cached, &bounds, &mut both[0]).unwrap();
            read_region(&plain, &bounds, &mut both[1]).unwrap();
            assert!(both[0] == both[1], "round {round}");
        }
        assert_eq!(stored_chunks(&cached).unwrap(), stored_chunks(&plain).unwrap());
    }
    // Nine chunks, all cached: nothing is asked of the store.
    let before = cached.store().reads.load(Ordering::SeqCst);
    let all: Vec<Coords> = cached.grid().chunks_in(&bounds).unwrap().collect();
    let seen = Mutex::new(HashSet::new());
    cached
        .read_chunks(&all, &|index, _| {
            assert!(seen.lock().unwrap().insert(index));
            Ok(())
        })
        .unwrap();
    assert_eq!((seen.lock().unwrap().len(), cached.store().reads.load(Ordering::SeqCst)), (9, before));
    // A chunk that is asked for twice, and those that are missing, at once.
    cache.clear().unwrap();
    let bulk = cached.store().bulk.load(Ordering::SeqCst);
    let twice: Vec<Coords> = all.iter().chain(&all).copied().collect();
    let count = AtomicUsize::new(0);
    cached
        .read_chunks(&twice, &|index, found| {
            count.fetch_add(1, Ordering::SeqCst);
            assert_eq!(found.map(<[u8]>::to_vec), read(&plain, &twice[index]));
            Ok(())
        })
        .unwrap();
    assert_eq!(count.into_inner(), 18);
    assert_eq!(cached.store().bulk.load(Ordering::SeqCst), bulk + 1);
    assert_eq!(cached.store().reads.load(Ordering::SeqCst), before + 9);
    // An error of the sink ends it, and leaves nothing that waits.
    cache.clear().unwrap();
    let failed = cached.read_chunks(&all, &|_, _| Err(Error::new(ErrorKind::Internal, "no")));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Internal);
    for chunk in &all {
        assert_eq!(read(&cached, chunk), read(&plain, chunk));
    }
}

#[test]
fn threads_that_miss_one_chunk_read_it_once() {
    let (_folder, path) = place();
    let cache = Arc::new(DatasetCache::create(&path, 1 << 20).unwrap());
    let cached = Cached::new(Slow::new(), cache.clone(), dataset(), 0);
    cached.store().write_chunks(&[(at(1, 1), chunk(&cached, 1))]).unwrap();
    let (began, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    *cached.store().gate.lock().unwrap() = Some((began, may_go_on));
    let start = Barrier::new(6);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                start.wait();
                assert!(read(&cached, &at(1, 1)) == Some(chunk(&cached, 1)));
            });
        }
        has_begun.recv().unwrap();
        while cache.statistics().unwrap().joined < 5 {
            thread::yield_now();
        }
        go_on.send(()).unwrap();
    });
    assert_eq!(cached.store().reads.load(Ordering::SeqCst), 1);
}

#[test]
fn what_was_read_before_a_write_and_comes_after_it_is_not_cached() {
    let (_folder, path) = place();
    let cache = Arc::new(DatasetCache::create(&path, 1 << 20).unwrap());
    let cached = Cached::new(Slow::new(), cache, dataset(), 0);
    cached.write_chunks(&[(at(1, 1), chunk(&cached, 1))]).unwrap();
    let (began, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    *cached.store().gate.lock().unwrap() = Some((began, may_go_on));
    thread::scope(|scope| {
        let slow = scope.spawn(|| read(&cached, &at(1, 1)));
        has_begun.recv().unwrap();
        cached.write_chunks(&[(at(1, 1), chunk(&cached, 2))]).unwrap();
        // Who comes after the write doesn't wait for the one from before.
        assert!(read(&cached, &at(1, 1)) == Some(chunk(&cached, 2)));
        go_on.send(()).unwrap();
        assert!(slow.join().unwrap() == Some(chunk(&cached, 1)));
    });
    for _ in 0..2 {
        assert!(read(&cached, &at(1, 1)) == Some(chunk(&cached, 2)));
    }
    cached.delete_chunks(&[at(1, 1)]).unwrap();
    assert_eq!(read(&cached, &at(1, 1)), None);
}

#[test]
fn no_kill_and_no_power_cut_brings_back_what_was_there_before_a_write() {
    let store = Arc::new(Slow::new());
    for call in 0..60 {
        let file = Arc::new(FaultyFile::default());
        let cache = Arc::new(exact().create_in(file.clone(), 1 << 20).unwrap());
        let cached = Cached::new(store.clone(), cache.clone(), dataset(), 0);
        store.chunks.write_chunks(&[(at(0, 0), chunk(&cached, 1))]).unwrap();
        assert!(read(&cached, &at(0, 0)) == Some(chunk(&cached, 1)));
        cache.flush().unwrap();
        if call > 0 {
            file.arm(call, Fault::Dies);
        }
        let written = cached.write_chunks(&[(at(0, 0), chunk(&cached, 2))]);
        let now = if written.is_ok() { 2 } else { 1 };
        assert!(read(&*store, &at(0, 0)) == Some(chunk(&cached, now)), "an error wrote nothing");
        if written.is_ok() {
            // A reader comes, and then the process goes; with the power, or without.
            let mut out = vec![0; cached.grid().chunk_bytes()];
            cached.read_chunk(&at(0, 0), &mut out).unwrap();
        }
        for after in [file.bytes(), file.after_power_loss(call)] {
            let after = Arc::new(dataset_cache::MemoryFile::new(after));
            let cache = Arc::new(exact().open_in(after, false).unwrap());
            let cached = Cached::new(store.clone(), cache, dataset(), 0);
            assert!(read(&cached, &at(0, 0)) == Some(chunk(&cached, now)), "call {call}");
        }
        if call > 0 && !file.has_met() {
            assert!(call > 3, "there were {call} calls");
            return;
        }
    }
    panic!("the calls never ended");
}
