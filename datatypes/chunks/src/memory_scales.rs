//! An array at several scales, kept in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, RwLockWriteGuard};

use engine_api::{Bytes, Error, ErrorKind, Result};

use crate::codec::{Codec, decode_chunk};
use crate::memory::{Frames, MemoryChunks};
use crate::multiscale::{Derived, DerivedChunks, MultiscaleStore, ScaleReader};
use crate::source::encode_chunks;
use crate::store::ChunkStore;
use crate::{Coords, Scales};

/// A derivation that keeps finding its sources changed gives up after this many attempts.
const ATTEMPTS: u32 = 64;

/// A [`MultiscaleStore`] in memory: for tests, and the template for authors of others.
#[derive(Debug)]
pub struct MemoryScales {
    scales: Scales,
    codec: Codec,
    stores: Vec<MemoryChunks>,
}

impl MemoryScales {
    /// Empty stores: every element reads as the fill value, at every scale.
    pub fn new(scales: Scales, codec: Codec) -> Self {
        let stores = scales.grids().iter().map(|grid| MemoryChunks::new(*grid, codec)).collect();
        Self { scales, codec, stores }
    }

    fn store(&self, scale: usize) -> Result<&MemoryChunks> {
        self.scales.grid(scale)?;
        self.stores
            .get(scale)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a scale without a store").with("scale", scale))
    }

    /// Whether it landed.
    fn derive_once(&self, scale: usize, source: &dyn DerivedChunks) -> Result<bool> {
        let target = self.store(scale)?;
        let reads = Reads { stores: self, seen: Mutex::default() };
        let encoded = encode_chunks(target.grid(), self.codec, &Derived::new(source, &reads))?;
        let seen = reads.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Every scale in order, so that two derivations can't wait for each other.
        let mut frames: Vec<RwLockWriteGuard<'_, Frames>> =
            self.stores.iter().map(MemoryChunks::frames_to_write).collect();
        let unchanged = seen.iter().all(|((scale, chunk), was)| match (was, frames[*scale].get(chunk)) {
            (Some(was), Some(is)) => was.as_ptr() == is.as_ptr(),
            (None, None) => true,
            _ => false,
        });
        if unchanged {
            for (chunk, frame) in encoded {
                match frame {
                    Some(frame) => frames[scale].insert(chunk, frame),
                    None => frames[scale].remove(&chunk),
                };
            }
        }
        Ok(unchanged)
    }
}

impl MultiscaleStore for MemoryScales {
    fn scales(&self) -> &Scales {
        &self.scales
    }

    fn scale(&self, scale: usize) -> Result<&dyn ChunkStore> {
        self.store(scale).map(|store| store as &dyn ChunkStore)
    }

    fn derive(&self, scale: usize, source: &dyn DerivedChunks) -> Result<()> {
        for _ in 0..ATTEMPTS {
            if self.derive_once(scale, source)? {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::Conflict, "others kept changing what the chunks are made from")
            .with("scale", scale))
    }
}

/// Frames by scale and chunk: the frames themselves, so that another with the same bytes isn't taken for them.
type Seen = BTreeMap<(usize, Coords), Option<Bytes>>;

/// What a derivation has read.
struct Reads<'a> {
    stores: &'a MemoryScales,
    seen: Mutex<Seen>,
}

impl ScaleReader for Reads<'_> {
    fn read_chunk(&self, scale: usize, chunk: &Coords, out: &mut [u8]) -> Result<bool> {
        let store = self.stores.store(scale)?;
        let grid = store.grid();
        grid.check_buffer(out.len())?;
        grid.chunk_region(chunk)?;
        let frame = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.entry((scale, *chunk)).or_insert_with(|| store.frame(chunk)).clone()
        };
        match &frame {
            Some(frame) => decode_chunk(grid, chunk, frame, out)?,
            None => grid.fill().write(out),
        }
        Ok(frame.is_some())
    }
}
