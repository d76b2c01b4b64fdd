//! The seeds are files that are sound, and to make checksums right leaves them as they are.
//!
//! `DATASET_CACHE_UPDATE_SEEDS=1 cargo test` writes them anew.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Once;

use dataset_cache::{BlockStorage, CacheOptions, MemoryFile};
use dataset_cache_fuzz::{key, reseal, try_cache, try_storage};

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target)
}

fn update() {
    let put = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(folder(target)).unwrap();
        fs::write(folder(target).join(name), bytes).unwrap();
    };
    for (name, maximum, entries) in [("empty", 1 << 20, 0), ("few", 1 << 20, 8), ("unlimited", 0, 60)] {
        let file = Arc::new(MemoryFile::default());
        let cache = CacheOptions::new().create_in(file.clone(), maximum).unwrap();
        for number in 0..entries {
            cache.insert(&key(number), &vec![number as u8; 40 * number as usize % 300]).unwrap();
        }
        if entries > 0 {
            cache.insert_absent(&key(entries)).unwrap();
            cache.flush().unwrap();
            cache.remove(&key(entries / 2)).unwrap();
        }
        drop(cache);
        put("cache", name, &file.bytes());
    }
    let file = Arc::new(MemoryFile::default());
    let mut storage = BlockStorage::create(file.clone(), 0, &[]).unwrap();
    put("storage", "empty", &file.bytes());
    let blocks: Vec<u64> = (1..9).map(|number| storage.allocate(number * 50).unwrap().unwrap()).collect();
    storage.commit(&[]).unwrap();
    for block in blocks.iter().step_by(3) {
        storage.free(*block).unwrap();
    }
    storage.commit(&[]).unwrap();
    storage.free(blocks[1]).unwrap();
    storage.commit(&[]).unwrap();
    put("storage", "few", &file.bytes());
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    if std::env::var_os("DATASET_CACHE_UPDATE_SEEDS").is_some() {
        static ONCE: Once = Once::new();
        ONCE.call_once(update);
    }
    fs::read_dir(folder(target)).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

#[test]
fn caches_are_sound() {
    let seeds = seeds("cache");
    assert_eq!(seeds.len(), 3);
    for seed in seeds {
        let mut sealed = seed.clone();
        reseal(&mut sealed, 96);
        assert_eq!(sealed, seed);
        try_cache(seed.clone());
        let open =
            |bytes: Vec<u8>| CacheOptions::new().open_in(Arc::new(MemoryFile::new(bytes)), false).unwrap();
        assert_eq!(open(seed.clone()).statistics().unwrap().clears, 0);
        // A change in a node is told, and where its checksum is made right, it is what is behind that tells.
        let Ok(root) = usize::try_from(u64::from_le_bytes(*seed[40..].first_chunk().unwrap())) else {
            continue;
        };
        // Of a tree of several nodes what an inner key says may be less than what is there.
        if root == 0 || seed[root + 3] != 0 {
            continue;
        }
        let mut changed = seed.clone();
        changed[root + 32 + 51] ^= 0x40;
        assert_eq!(open(changed.clone()).statistics().unwrap().clears, 1);
        reseal(&mut changed, 96);
        assert_eq!(open(changed.clone()).statistics().unwrap().clears, 1, "the other index says otherwise");
        try_cache(changed);
        let mut changed = seed.clone();
        changed[root + 32 + 52 + 12] ^= 0x40;
        reseal(&mut changed, 96);
        let cache = open(changed);
        assert_eq!(
            cache.statistics().unwrap().clears,
            0,
            "a wrong checksum of an entry is found when it is read"
        );
        assert_eq!(cache.verify().unwrap().damaged, 1);
    }
}

#[test]
fn storages_are_sound() {
    let seeds = seeds("storage");
    assert_eq!(seeds.len(), 2);
    for seed in seeds {
        let mut sealed = seed.clone();
        reseal(&mut sealed, 32);
        assert_eq!(sealed, seed);
        BlockStorage::open(Arc::new(MemoryFile::new(seed.clone())), 0).unwrap();
        try_storage(seed);
    }
}
