//! A block storage beside a naive one: a list of blocks, and free chunks that are what is between them.
//!
//! `DATASET_CACHE_OPERATIONS=1000000` makes so many operations of each kind.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(clippy::too_many_lines, clippy::cast_precision_loss, reason = "one list of operations, and shares")]

use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;

use dataset_cache::{BlockStorage, MemoryFile, StorageFile};
use engine_api::ErrorKind;

fn operations() -> u64 {
    env::var("DATASET_CACHE_OPERATIONS").map_or(30_000, |count| count.parse().unwrap())
}

/// Blocks by their start: their length, and the number that is written into them.
type Blocks = BTreeMap<u64, (u64, u64)>;

fn rounded(bytes: u64) -> u64 {
    bytes.max(1).next_multiple_of(64)
}

/// That blocks and free chunks cover the area, no two free chunks meet, and the kept blocks are those of the model.
fn check(storage: &BlockStorage, model: &Blocks, start: u64) -> Vec<(u64, u64)> {
    let (mut end, mut was_free, mut live, mut chunks) = (start, false, 0, Vec::new());
    storage
        .blocks(&mut |block| {
            assert_eq!(block.start, end, "there is a hole or an overlap");
            assert!(block.size > 0 && block.size.is_multiple_of(64));
            assert!(!(block.free && was_free), "two free chunks meet");
            if let Some((size, _)) = model.get(&block.start) {
                assert_eq!((block.size, block.free, block.passing), (*size, false, false));
                live += 1;
            }
            if block.free {
                chunks.push((block.start, block.size));
            }
            (end, was_free) = (block.end(), block.free);
            Ok(())
        })
        .unwrap();
    assert_eq!(live, model.len(), "a block is missing");
    chunks
}

fn stamp(storage: &BlockStorage, block: u64, size: u64, number: u64) {
    storage.write(block, 0, &number.to_le_bytes()).unwrap();
    storage.write(block, size - 8, &(number ^ size).to_le_bytes()).unwrap();
}

fn check_stamps(storage: &BlockStorage, model: &Blocks) {
    for (block, (size, number)) in model {
        let mut found = [0; 8];
        storage.read(*block, 0, &mut found).unwrap();
        assert_eq!(u64::from_le_bytes(found), *number);
        storage.read(*block, size - 8, &mut found).unwrap();
        assert_eq!(u64::from_le_bytes(found), *number ^ size);
    }
}

#[test]
fn blocks_are_those_of_a_naive_storage_whatever_is_done_and_after_kills() {
    let mut random = fastrand::Rng::with_seed(1);
    let file = Arc::new(MemoryFile::default());
    let mut storage = BlockStorage::create(file.clone(), 8, &[0; 8]).unwrap();
    let (mut model, mut committed) = (Blocks::new(), Blocks::new());
    let limit = 2 << 20;
    storage.set_limit(limit);
    let (mut refused, mut kills, mut grown, mut worst) = (0, 0, 0, 0.0_f64);
    for operation in 0..operations() {
        let some = |random: &mut fastrand::Rng, model: &Blocks| {
            model.iter().nth(random.usize(..model.len().max(1))).map(|(at, block)| (*at, *block))
        };
        // Small blocks and large ones, as caches of mixed kinds have them.
        let bytes = if random.u8(..10) == 0 { random.u64(1..200_000) } else { random.u64(16..3000) };
        match random.u8(..100) {
            0..44 => {
                let next = storage.allocate_next(bytes);
                let Some(block) = storage.allocate(bytes).unwrap() else {
                    refused += 1;
                    // Fragmentation is what is free, and no use to a small block.
                    let free: u64 = check(&storage, &model, 40).iter().map(|(_, size)| size).sum();
                    if bytes < 3000 {
                        worst = worst.max(free as f64 / limit as f64);
                    }
                    continue;
                };
                if let Some(next) = next {
                    // What waited for the last commit may have become free in between.
                    assert!(block <= next || storage.size(block) == Some(rounded(bytes)));
                }
                stamp(&storage, block, rounded(bytes), operation);
                assert!(model.insert(block, (rounded(bytes), operation)).is_none(), "it was given twice");
            }
            44..80 => {
                let Some((block, _)) = some(&mut random, &model) else { continue };
                storage.free(block).unwrap();
                model.remove(&block);
                assert_eq!(storage.free(block).unwrap_err().kind(), ErrorKind::NotFound);
            }
            80..85 => {
                let Some((block, (size, number))) = some(&mut random, &model) else { continue };
                let Some(at) = storage.grow(block, size + bytes).unwrap() else {
                    refused += 1;
                    continue;
                };
                grown += u64::from(at == block);
                model.remove(&block);
                let mut found = [0; 8];
                storage.read(at, 0, &mut found).unwrap();
                assert_eq!(u64::from_le_bytes(found), number, "its bytes come along");
                stamp(&storage, at, rounded(size + bytes), number);
                model.insert(at, (rounded(size + bytes), number));
                // What was in its place is as it was, only if it moved; who wants it whole writes another.
                committed.remove(&block);
            }
            85..90 => {
                let Some((block, (size, number))) = some(&mut random, &model) else { continue };
                let less = rounded((size / 2).max(16));
                storage.shrink(block, less).unwrap();
                if less < size {
                    stamp(&storage, block, less, number);
                    model.insert(block, (less, number));
                    committed.remove(&block);
                }
            }
            90..97 => {
                storage.commit(&operation.to_le_bytes()).unwrap();
                committed = model.clone();
                let length = file.length().unwrap();
                let mut end = 40;
                storage
                    .blocks(&mut |block| {
                        end = block.end();
                        Ok(())
                    })
                    .unwrap();
                assert_eq!(length, end, "the end isn't free");
            }
            _ => {
                // A kill: what wasn't committed is gone.
                let killed = Arc::new(MemoryFile::new(file.bytes()));
                let opened = BlockStorage::open(killed, 8).unwrap();
                kills += 1;
                for (block, (size, _)) in &committed {
                    assert_eq!(opened.size(*block), Some(*size), "{block} was committed");
                }
                check_stamps(&opened, &committed);
            }
        }
        assert!(file.length().unwrap() <= limit);
        if operation % 16 == 0 {
            let chunks = check(&storage, &model, 40);
            // Best fit: the shortest that is long enough, and of those the first.
            let best = chunks
                .iter()
                .filter(|(_, size)| *size >= rounded(bytes))
                .min_by_key(|(at, size)| (*size, *at));
            if let Some((at, _)) = best {
                assert_eq!(storage.allocate_next(bytes), Some(*at));
            }
        }
    }
    check_stamps(&storage, &model);
    println!(
        "{refused} refused, {kills} kills, {grown} grown in place, {worst:.2} free when a small block was refused"
    );
    assert!(kills > 10 && grown > 10 && refused > 10);
    assert!(worst < 0.2, "a fifth of the file is free chunks that are no use");
}

#[test]
fn what_is_no_storage_is_refused() {
    let file = |bytes: &[u8]| Arc::new(MemoryFile::new(bytes.to_vec()));
    assert_eq!(BlockStorage::open(file(b""), 0).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(BlockStorage::open(file(&[0; 64]), 0).unwrap_err().kind(), ErrorKind::Incompatible);
    assert_eq!(BlockStorage::open(file(&[0; 64]), 481).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let mut storage = BlockStorage::create(file(b""), 0, &[]).unwrap();
    let block = storage.allocate(100).unwrap().unwrap();
    assert_eq!(storage.write(block, 120, &[0; 9]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(storage.read(block + 1, 0, &mut [0]).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(storage.allocate(u64::MAX).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(storage.commit(&[0]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    storage.commit(&[]).unwrap();
}
