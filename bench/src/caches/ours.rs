//! A dataset cache.

use std::ops::Range;
use std::path::Path;

use chunks::Coords;
use dataset_cache::{CacheKey, DatasetCache, DatasetId, Found};

use super::side::{Contents, Reader, Side};
use crate::Outcome;

#[derive(Debug)]
pub(super) struct Ours {
    name: &'static str,
    cache: DatasetCache,
    dataset: DatasetId,
}

impl Ours {
    pub(super) fn create(path: &Path, maximum: u64) -> Outcome<Self> {
        Ok(Self::new("dataset cache", DatasetCache::create(path, maximum)?))
    }

    /// What is there, as the second of several processes sees it.
    pub(super) fn open_to_read(path: &Path) -> Outcome<Self> {
        Ok(Self::new("dataset cache, to read", DatasetCache::open(path, true)?))
    }

    fn new(name: &'static str, cache: DatasetCache) -> Self {
        Self { name, cache, dataset: DatasetId::of_parts(&[b"bench"]) }
    }
}

fn key(dataset: DatasetId, number: u64) -> Outcome<CacheKey> {
    let axis = |shift: u32| Outcome::Ok(i32::try_from((number >> shift) & 0xff)?);
    let chunk = Coords::new(&[axis(16)?, axis(8)?, axis(0)?])?;
    Ok(CacheKey::chunk(dataset, 0, chunk))
}

impl Side for Ours {
    fn name(&self) -> &'static str {
        self.name
    }

    fn reader(&self) -> Outcome<Box<dyn Reader + '_>> {
        Ok(Box::new(self))
    }

    fn put(&mut self, numbers: Range<u64>, contents: &mut Contents) -> Outcome {
        for number in numbers {
            if !self.cache.insert(&key(self.dataset, number)?, contents.of(number))? {
                return Err("an entry can't be put in".into());
            }
        }
        Ok(self.cache.flush()?)
    }

    fn file_bytes(&self) -> Outcome<u64> {
        Ok(self.cache.statistics()?.file_bytes)
    }
}

impl Reader for &Ours {
    fn read(&mut self, number: u64, out: &mut [u8]) -> Outcome<bool> {
        Ok(self.cache.read_into(&key(self.dataset, number)?, out)? == Found::Bytes(out.len()))
    }
}
