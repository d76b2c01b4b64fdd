//! Reads and writes of regions, compared with one plain buffer.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::atomic::{AtomicUsize, Ordering};

use chunks::{
    ChunkSource, ChunkStore, Codec, Coords, DType, Fill, Grid, MemoryChunks, Region, copy_region,
    read_region, stored_chunks, write_region,
};
use engine_api::{Error, ErrorKind, Result};
use proptest::prelude::*;

fn grid(shape: &[u64], chunk: &[u64], dtype: DType) -> Grid {
    Grid::new(shape, chunk, dtype).unwrap()
}

fn read(store: &dyn ChunkStore, region: &Region) -> Vec<u8> {
    let mut out = vec![0xee; region.bytes(store.grid().element_size()).unwrap()];
    read_region(store, region, &mut out).unwrap();
    out
}

fn region(text: &str) -> Region {
    text.parse().unwrap()
}

fn inside(shape: [u64; 3]) -> impl Strategy<Value = Region> {
    shape.map(|length| (0..=length).prop_flat_map(move |start| (Just(start), 0..=length - start))).prop_map(
        |axes| {
            let offset = axes.map(|axis| i64::try_from(axis.0).unwrap());
            Region::new(&offset, &axes.map(|axis| axis.1)).unwrap()
        },
    )
}

const SHAPE: [u64; 3] = [9, 10, 11];

proptest! {
    #[test]
    fn a_store_reads_as_a_plain_buffer_does(
        chunk in prop::array::uniform3(1u64..7),
        dtype in prop::sample::select(DType::ALL),
        writes in prop::collection::vec((inside(SHAPE), any::<u8>()), 1..6),
        asked in inside(SHAPE),
    ) {
        let fill = Fill::from_bytes(dtype, &[9; 8][..dtype.size()]).unwrap();
        let grid = grid(&SHAPE, &chunk, dtype).with_fill(fill).unwrap();
        let store = MemoryChunks::new(grid, Codec::FAST);
        let whole = grid.bounds();
        let mut model = vec![9; whole.bytes(dtype.size()).unwrap()];
        for (target, value) in writes {
            let length = target.bytes(dtype.size()).unwrap();
            let data: Vec<u8> = (0..length).map(|at| value.wrapping_add(u8::try_from(at % 3).unwrap())).collect();
            write_region(&store, &target, &data).unwrap();
            copy_region(&data, &target, &mut model, &whole, &target, dtype.size()).unwrap();
        }
        prop_assert_eq!(&read(&store, &whole), &model);
        let mut expected = vec![0; asked.bytes(dtype.size()).unwrap()];
        copy_region(&model, &whole, &mut expected, &asked, &asked, dtype.size()).unwrap();
        prop_assert_eq!(read(&store, &asked), expected);
    }
}

#[test]
fn every_rank_reads_back() {
    for rank in 1..=5 {
        let grid = grid(&[7, 5, 6, 4, 3][..rank], &[3, 2, 4, 4, 2][..rank], DType::U16);
        let store = MemoryChunks::new(grid, Codec::default());
        let whole = grid.bounds();
        let data: Vec<u8> =
            (0..whole.bytes(2).unwrap()).map(|at| u8::try_from(at * 7 % 255).unwrap()).collect();
        write_region(&store, &whole, &data).unwrap();
        assert_eq!(read(&store, &whole), data, "rank {rank}");
        assert_eq!(u64::try_from(stored_chunks(&store).unwrap().len()).unwrap(), grid.chunk_count());
    }
}

#[test]
fn elements_never_written_are_the_fill_value() {
    let fill = Fill::parse(DType::F32, "NaN").unwrap();
    let grid = grid(&[4, 4], &[3, 3], DType::F32).with_fill(fill).unwrap();
    let store = MemoryChunks::new(grid, Codec::default());
    write_region(&store, &region("0:1,0:1"), &1.5f32.to_le_bytes()).unwrap();
    let values: Vec<f32> = read(&store, &region("0:4,0:4"))
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    assert_eq!(values[0].to_bits(), 1.5f32.to_bits());
    assert!(values[1..].iter().all(|value| value.is_nan()));
}

#[test]
fn chunks_of_only_the_fill_value_are_not_stored() {
    let store = MemoryChunks::new(grid(&[10, 10], &[4, 4], DType::U8), Codec::default());
    write_region(&store, &region("0:10,0:10"), &[0; 100]).unwrap();
    assert_eq!(stored_chunks(&store).unwrap(), []);
    write_region(&store, &region("5:6,9:10"), &[1]).unwrap();
    assert_eq!(stored_chunks(&store).unwrap(), [Coords::new(&[1, 2]).unwrap()]);
    write_region(&store, &region("5:6,9:10"), &[0]).unwrap();
    assert_eq!(stored_chunks(&store).unwrap(), []);
}

#[test]
fn padding_beyond_the_shape_holds_the_fill_value() {
    let fill = Fill::parse(DType::U8, "3").unwrap();
    let store = MemoryChunks::new(grid(&[3], &[2], DType::U8).with_fill(fill).unwrap(), Codec::default());
    write_region(&store, &region("0:3"), &[7, 7, 7]).unwrap();
    let mut chunk = [0; 2];
    assert!(store.read_chunk(&Coords::new(&[1]).unwrap(), &mut chunk).unwrap());
    assert_eq!(chunk, [7, 3]);
}

#[test]
fn deleted_chunks_read_as_the_fill_value() {
    let store = MemoryChunks::new(grid(&[8], &[4], DType::U8), Codec::default());
    write_region(&store, &region("0:8"), &[5; 8]).unwrap();
    let chunk = |at| Coords::new(&[at]).unwrap();
    store.delete_chunks(&[chunk(0), chunk(7)]).unwrap();
    assert_eq!(read(&store, &region("0:8")), [0, 0, 0, 0, 5, 5, 5, 5]);
    let mut out = [9; 4];
    assert!(!store.read_chunk(&chunk(0), &mut out).unwrap());
    assert_eq!(out, [0; 4]);
}

#[test]
fn wrong_lengths_and_regions_are_refused_and_change_nothing() {
    let store = MemoryChunks::new(grid(&[8, 8], &[4, 4], DType::U16), Codec::default());
    let kind = |result: Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(write_region(&store, &region("0:8,0:8"), &[1; 127])), ErrorKind::InvalidArgument);
    assert_eq!(kind(write_region(&store, &region("0:9,0:8"), &[1; 144])), ErrorKind::InvalidArgument);
    assert_eq!(kind(read_region(&store, &region("0:2"), &mut [0; 4])), ErrorKind::InvalidArgument);
    assert_eq!(kind(read_region(&store, &region("0:1,0:1"), &mut [0; 4])), ErrorKind::InvalidArgument);
    let outside = [(Coords::new(&[0, 0]).unwrap(), [1; 32]), (Coords::new(&[2, 0]).unwrap(), [1; 32])];
    assert_eq!(kind(store.write_chunks(&outside)), ErrorKind::InvalidArgument);
    let short = [(Coords::new(&[0, 0]).unwrap(), [1; 31])];
    assert_eq!(kind(store.write_chunks(&short)), ErrorKind::InvalidArgument);
    assert_eq!(stored_chunks(&store).unwrap(), []);
}

#[test]
fn empty_regions_read_and_write_nothing() {
    let store = MemoryChunks::new(grid(&[8, 8], &[4, 4], DType::U16), Codec::default());
    write_region(&store, &region("3:3,0:8"), &[]).unwrap();
    read_region(&store, &region("3:3,0:8"), &mut []).unwrap();
    assert_eq!(stored_chunks(&store).unwrap(), []);
}

#[test]
fn writers_of_different_parts_of_a_chunk_lose_nothing() {
    let store = MemoryChunks::new(grid(&[64], &[64], DType::U8), Codec::default());
    std::thread::scope(|scope| {
        for part in 0..8i64 {
            let store = &store;
            scope.spawn(move || {
                for at in part * 8..part * 8 + 8 {
                    write_region(store, &Region::new(&[at], &[1]).unwrap(), &[1]).unwrap();
                }
            });
        }
    });
    assert_eq!(read(&store, &region("0:64")), [1; 64]);
}

/// Counts what a region operation asks of a store.
#[derive(Debug)]
struct Counting {
    inner: MemoryChunks,
    reads: AtomicUsize,
    batches: AtomicUsize,
    damaged: Option<Coords>,
}

impl Counting {
    fn new(damaged: Option<Coords>) -> Self {
        let inner = MemoryChunks::new(grid(&[10, 10], &[4, 4], DType::U8), Codec::default());
        Self { inner, reads: AtomicUsize::new(0), batches: AtomicUsize::new(0), damaged }
    }
}

impl ChunkStore for Counting {
    fn grid(&self) -> &Grid {
        self.inner.grid()
    }
    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.damaged == Some(*chunk) {
            return Err(Error::new(ErrorKind::Corrupt, "damaged").with("chunk", chunk));
        }
        self.inner.read_chunk(chunk, out)
    }
    fn write_chunks(&self, source: &dyn ChunkSource) -> Result<()> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.inner.write_chunks(source)
    }
    fn delete_chunks(&self, chunks: &[Coords]) -> Result<()> {
        self.inner.delete_chunks(chunks)
    }
    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> Result<()>) -> Result<()> {
        self.inner.list_chunks(visit)
    }
}

#[test]
fn only_chunks_that_are_cut_through_are_read_and_all_are_one_batch() {
    let store = Counting::new(None);
    write_region(&store, &region("0:10,0:10"), &[1; 100]).unwrap();
    assert_eq!(store.reads.swap(0, Ordering::Relaxed), 0, "clipped chunks at the edge are covered");
    write_region(&store, &region("0:10,0:5"), &[2; 50]).unwrap();
    assert_eq!(store.reads.load(Ordering::Relaxed), 3);
    assert_eq!(store.batches.load(Ordering::Relaxed), 2);
}

#[test]
fn a_damaged_chunk_fails_the_read_and_the_write_and_changes_nothing() {
    let damaged = Coords::new(&[1, 1]).unwrap();
    let store = Counting::new(Some(damaged));
    let error = read_region(&store, &region("0:10,0:10"), &mut [0; 100]).unwrap_err();
    assert_eq!((error.kind(), error.field("chunk")), (ErrorKind::Corrupt, Some("(1,1)")));
    let error = write_region(&store, &region("0:5,0:5"), &[1; 25]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(stored_chunks(&store).unwrap(), []);
}
