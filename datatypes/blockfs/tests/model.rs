//! Random programs on a volume beside a model in memory: writes, rewrites, deletions, flushes, two handles, reopening and
//! compacting.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::collections::BTreeMap;

use blockfs::blosc::{Compression, Compressor};
use blockfs::{BlockFs, BlockFsSpec, BlockState, BlockWriter, WriterOptions, compact};
use chunks::{ChunkStore, Coords, DType, stored_chunks, write_region};
use common::{blocks, place, silent, voxels};
use engine_api::ErrorKind;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// Handle 0 or 1 writes a block.
    Write(usize, usize, u64),
    Delete(usize, usize),
    /// Some chunks in one batch, of which some are zeros.
    Batch(usize, usize, u64),
    /// A region that cuts through blocks.
    Region(usize, u64),
    Flush(usize),
    /// Closes and opens a handle.
    Reopen(usize),
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0usize..2, 0usize..12, 0u64..1000).prop_map(|(who, at, seed)| Step::Write(who, at, seed)),
        1 => (0usize..2, 0usize..12).prop_map(|(who, at)| Step::Delete(who, at)),
        1 => (0usize..2, 0usize..12, 0u64..1000).prop_map(|(who, at, seed)| Step::Batch(who, at, seed)),
        1 => (0usize..2, 0u64..1000).prop_map(|(who, seed)| Step::Region(who, seed)),
        2 => (0usize..2).prop_map(Step::Flush),
        1 => (0usize..2).prop_map(Step::Reopen),
        1 => Just(Step::Compact),
    ]
}

/// What a block holds, and when its place was taken: of two writers the later is read.
type Value = (u64, Option<Vec<u8>>);

#[derive(Default)]
struct Model {
    compat: bool,
    clock: u64,
    committed: BTreeMap<usize, Value>,
    waiting: [BTreeMap<usize, Value>; 2],
}

impl Model {
    fn write(&mut self, who: usize, at: usize, value: Option<Vec<u8>>) {
        self.clock += 1;
        self.waiting[who].insert(at, (self.clock, value));
    }

    fn flush(&mut self, who: usize) {
        for (at, value) in std::mem::take(&mut self.waiting[who]) {
            // Without records nobody knows when a block was deleted: a write that began before is committed over it.
            let newer = self
                .committed
                .get(&at)
                .is_some_and(|(when, other)| *when > value.0 && !(self.compat && other.is_none()));
            if !newer {
                self.committed.insert(at, value);
            }
        }
    }

    fn seen_by_all(&self, at: usize) -> Option<&Vec<u8>> {
        self.committed.get(&at).and_then(|(_, value)| value.as_ref())
    }

    fn seen_by(&self, who: usize, at: usize) -> Option<&Vec<u8>> {
        self.waiting[who].get(&at).map_or_else(|| self.seen_by_all(at), |(_, value)| value.as_ref())
    }
}

fn options() -> WriterOptions {
    // Nothing is flushed without being asked.
    WriterOptions { flush_bytes: u64::MAX, flush_blocks: usize::MAX }
}

fn run(steps: &[Step], compat: bool, compressor: Compressor) {
    let (_folder, path) = place();
    let spec = BlockFsSpec::new([10, 12, 21], [8, 8, 8], DType::U16)
        .files(2)
        .entry_bits(40, 20)
        .compression(Compression::new(compressor, 3).unwrap())
        .compat(compat);
    let volume = BlockFs::create(&path, &spec).unwrap();
    let all = blocks(&volume);
    assert_eq!(all.len(), 12);
    let open = || Some(BlockWriter::open_with(&path, options()).unwrap());
    let mut writers = [open(), open()];
    let mut model = Model { compat, ..Model::default() };
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Write(who, at, seed) => {
                let value = voxels(&volume, &all[*at], *seed);
                writers[*who].as_ref().unwrap().write_block(&all[*at], &value).unwrap();
                model.write(*who, *at, Some(value));
            }
            Step::Delete(who, at) => {
                writers[*who].as_ref().unwrap().delete_block(&all[*at]).unwrap();
                model.write(*who, *at, None);
            }
            Step::Batch(who, first, seed) => {
                let writer = writers[*who].as_ref().unwrap();
                let mut batch: Vec<(Coords, Vec<u8>)> = Vec::new();
                for (at, block) in all.iter().enumerate().skip(*first) {
                    let mut chunk = vec![0; volume.grid().chunk_bytes()];
                    if (at as u64 + seed).is_multiple_of(3) {
                        model.write(*who, at, None);
                    } else {
                        let region = volume.grid().chunk_region(block).unwrap();
                        let inside = volume.block_region(block).unwrap();
                        let value = voxels(&volume, block, *seed);
                        chunks::copy_region(&value, &inside, &mut chunk, &region, &inside, 2).unwrap();
                        model.write(*who, at, Some(value));
                    }
                    batch.push((*block, chunk));
                }
                writer.write_chunks(&batch).unwrap();
            }
            Step::Region(who, seed) => {
                write_cut(&volume, writers[*who].as_ref().unwrap(), &mut model, *who, *seed);
            }
            Step::Flush(who) => {
                writers[*who].as_ref().unwrap().flush().unwrap();
                model.flush(*who);
            }
            Step::Reopen(who) => {
                writers[*who].take().unwrap().close().unwrap();
                model.flush(*who);
                writers[*who] = open();
            }
            Step::Compact => {
                assert_eq!(compact(&path, &mut silent).unwrap_err().kind(), ErrorKind::Locked);
                for who in [0, 1] {
                    writers[who].take().unwrap().close().unwrap();
                    model.flush(who);
                }
                compact(&path, &mut silent).unwrap();
                writers = [open(), open()];
                // Places are taken anew.
                for (when, _) in model.committed.values_mut() {
                    *when = 0;
                }
            }
        }
        check(&volume, &writers, &model, &all, compat, number);
    }
}

/// A region of voxels through all blocks but the last along z.
fn write_cut(volume: &BlockFs, writer: &BlockWriter, model: &mut Model, who: usize, seed: u64) {
    let region = chunks::Region::new(&[3, 5, 6], &[4, 6, 9]).unwrap();
    let mut data = vec![0; region.bytes(2).unwrap()];
    fastrand::Rng::with_seed(seed).fill(&mut data);
    let grid = volume.grid();
    for block in grid.chunks_in(&region).unwrap() {
        let at = blocks(volume).iter().position(|other| *other == block).unwrap();
        let inside = volume.block_region(&block).unwrap();
        let zeros = vec![0; volume.block_bytes(&block).unwrap()];
        let mut value = model.seen_by(who, at).cloned().unwrap_or(zeros);
        let overlap = inside.intersection(&region).unwrap();
        chunks::copy_region(&data, &region, &mut value, &inside, &overlap, 2).unwrap();
        model.write(who, at, Some(value));
    }
    write_region(writer, &region, &data).unwrap();
}

fn check(
    volume: &BlockFs,
    writers: &[Option<BlockWriter>; 2],
    model: &Model,
    all: &[Coords],
    compat: bool,
    step: usize,
) {
    for (at, block) in all.iter().enumerate() {
        let zeros = vec![0; volume.block_bytes(block).unwrap()];
        let mut found = zeros.clone();
        let state = volume.read_block(block, &mut found).unwrap();
        let expected = model.seen_by_all(at);
        assert!(&found == expected.unwrap_or(&zeros), "{block} after step {step}");
        let written = if compat { BlockState::Unchecked } else { BlockState::Committed };
        match expected {
            Some(_) => assert_eq!(state, written, "{block} after step {step}"),
            None => assert!(matches!(state, BlockState::Missing | BlockState::Pending), "{state:?}"),
        }
        for (who, writer) in writers.iter().enumerate() {
            writer.as_ref().unwrap().read_block(block, &mut found).unwrap();
            assert_eq!(
                &found,
                model.seen_by(who, at).unwrap_or(&zeros),
                "{block} by {who} after step {step}"
            );
        }
    }
    for (who, writer) in writers.iter().enumerate() {
        let stored: Vec<Coords> =
            (0..all.len()).filter(|at| model.seen_by(who, *at).is_some()).map(|at| all[at]).collect();
        assert_eq!(stored_chunks(writer.as_ref().unwrap()).unwrap(), stored, "by {who} after step {step}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_volume_is_what_its_model_is(
        steps in prop::collection::vec(step(), 1..40),
        compat in any::<bool>(),
        compressor in prop::sample::select(Compressor::ALL),
    ) {
        run(&steps, compat, compressor);
    }
}
