//! Inputs whose checksums are right, so that what is behind the checksums is reached; and what is done with them.

use std::sync::Arc;

use chunks::Coords;
use dataset_cache::{BlockStorage, CacheKey, CacheOptions, DatasetCache, DatasetId, MemoryFile, StorageFile};

/// More bytes in use than this end a run: nothing that a file says may ask for more.
pub const MOST_BYTES: usize = 64 << 20;

const PAGE: usize = 4096;

/// Makes the checksums of all nodes right, whose places are multiples of 64 from where the data begins.
pub fn reseal(file: &mut [u8], data: usize) {
    let mut at = data;
    while let Some(page) = file.get_mut(at..at + PAGE) {
        if page.starts_with(b"BN") {
            let sum = crc32c::crc32c_append(crc32c::crc32c(&page[..28]), &page[32..]);
            page[28..32].copy_from_slice(&sum.to_le_bytes());
            at += PAGE;
        } else {
            at += 64;
        }
    }
}

/// The key of a number.
pub fn key(number: i32) -> CacheKey {
    let dataset = DatasetId::new(uuid::Uuid::from_bytes([7; 16]), 1);
    CacheKey::chunk(dataset, 0, Coords::new(&[number, 0, 0]).expect("three axes"))
}

/// Opens a file in both ways, and does what can be done. What is written is read.
pub fn try_cache(bytes: Vec<u8>) {
    if let Ok(reader) = CacheOptions::new().open_in(Arc::new(MemoryFile::new(bytes.clone())), true) {
        drop(reader.verify());
        look(&reader);
    }
    let file = Arc::new(MemoryFile::new(bytes));
    let Ok(writer) = CacheOptions::new().open_in(file.clone(), false) else { return };
    look(&writer);
    let verified = writer.verify().expect("a cache that is written has sound indices");
    let statistics = writer.statistics().expect("a file in memory has a length");
    assert!(verified.sound <= statistics.entries);
    let mut kept = Vec::new();
    // A maximum may be anything, and what is put in is not to be as much.
    for number in 100..120 {
        let data = vec![number as u8; 1 + 97 * (number - 100) as usize];
        let inserted = writer.insert(&key(number), &data).expect("a file in memory is never full");
        if inserted {
            kept.push((number, data));
        }
    }
    let newest = kept.last().cloned();
    let after = writer.statistics().expect("as above");
    // Where only pieces of room are left, all is cleared.
    let evicted = after.evicted + after.clears - statistics.clears;
    drop(writer);
    let length = file.length().expect("as above");
    let again = CacheOptions::new().open_in(file, false).expect("what was written is read");
    assert!(again.maximum_bytes() == 0 || length <= again.maximum_bytes());
    assert_eq!(again.statistics().expect("as above").clears, 0);
    if evicted == 0 {
        for (number, data) in kept {
            let found = again.get(&key(number)).expect("it is there").and_then(|value| value.into_bytes());
            assert_eq!(found, Some(data));
        }
    } else if let Some((number, data)) = newest {
        let found = again.get(&key(number)).expect("it is there").and_then(|value| value.into_bytes());
        assert!(found.is_none_or(|found| found == data));
    }
}

fn look(cache: &DatasetCache) {
    let mut out = [0; 4096];
    for number in 0..12 {
        drop(cache.get(&key(number)));
        drop(cache.read_into(&key(number), &mut out));
    }
    let mut entries = 0;
    drop(cache.entries(&mut |_| {
        entries += 1;
        Ok(())
    }));
    std::hint::black_box(entries);
}

/// Opens a storage, and does what can be done; the last byte says with which blocks.
pub fn try_storage(bytes: Vec<u8>) {
    let choice = bytes.last().copied().unwrap_or(0);
    let file = Arc::new(MemoryFile::new(bytes));
    let Ok(mut storage) = BlockStorage::open(file.clone(), 0) else { return };
    storage.set_limit(1 << 20);
    let mut blocks = Vec::new();
    storage
        .blocks(&mut |block| {
            if !block.free && !block.passing {
                blocks.push(block);
            }
            Ok(())
        })
        .expect("the visitor has no error");
    // Some of them are its own nodes, which whoever uses it has no number of.
    let own = own_nodes(&file);
    blocks.retain(|block| !own.contains(&block.start));
    for (at, block) in blocks.iter().enumerate().take(8) {
        let more = block.size.saturating_add(u64::from(choice) * 64);
        if more > 1 << 20 {
            continue;
        }
        let done = match (at + usize::from(choice)) % 3 {
            0 => storage.free(block.start),
            1 => storage.shrink(block.start, block.size / 2),
            _ => storage.grow(block.start, more).map(drop),
        };
        done.expect("it is a block");
    }
    let new = storage.allocate(1000).expect("it is sound");
    if let Some(new) = new {
        storage.write(new, 0, &[choice; 1000]).expect("it is there");
    }
    if storage.commit(&[]).is_ok() {
        let again = BlockStorage::open(file, 0).expect("what was written is read");
        let mut found = [0; 1000];
        if let Some(new) = new {
            again.read(new, 0, &mut found).expect("it was committed");
            assert_eq!(found, [choice; 1000]);
        }
    }
}

/// The places of all nodes, found by their magic.
fn own_nodes(file: &MemoryFile) -> Vec<u64> {
    let bytes = file.bytes();
    let starts = (32..bytes.len()).step_by(64).filter(|at| bytes[*at..].starts_with(b"BN"));
    starts.map(|at| at as u64).collect()
}
