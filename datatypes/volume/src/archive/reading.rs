//! Chunks out of archives.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chunks::{ChunkStore, Coords, Grid, decode_chunk};
use engine_api::{Error, ErrorKind, Result};
use uuid::Uuid;

use super::{Archive, Reference, format};

/// The archives of a volume, opened as they are needed.
pub(crate) struct Archives {
    known: Mutex<Vec<Archive>>,
    open: Mutex<HashMap<(Uuid, u8), Arc<dyn ChunkStore>>>,
}

impl fmt::Debug for Archives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archives").field("known", &self.known).finish_non_exhaustive()
    }
}

impl Archives {
    pub(crate) fn new(known: Vec<Archive>) -> Self {
        Self { known: Mutex::new(known), open: Mutex::default() }
    }

    /// Restores a chunk from a frame, or from the archive that the frame refers to. `anew` says which archives the
    /// volume has by now, where the frame's isn't among those that were known.
    ///
    /// # Errors
    /// As [`decode_chunk`]; those of the archive, with its path.
    pub(crate) fn decode(
        &self,
        (scale, grid): (u8, &Grid),
        chunk: &Coords,
        frame: &[u8],
        out: &mut [u8],
        anew: &dyn Fn() -> Result<Vec<Archive>>,
    ) -> Result<()> {
        let Some(reference) = Reference::of_frame(frame, grid).map_err(|error| error.with("chunk", chunk))?
        else {
            return decode_chunk(grid, chunk, frame, out);
        };
        grid.check_buffer(out.len())?;
        let archive = self.find(reference.archive, anew)?;
        let failed = |error: Error| error.with("archive", &archive.path).with("chunk", chunk);
        let is_there = self.open(&archive, scale, grid).and_then(|store| store.read_chunk(chunk, out));
        if !is_there.map_err(failed)? || !reference.is_of(out) {
            return Err(failed(Error::new(ErrorKind::Corrupt, "an archive has another chunk, or none")));
        }
        Ok(())
    }

    fn find(&self, id: Uuid, anew: &dyn Fn() -> Result<Vec<Archive>>) -> Result<Archive> {
        let known = || {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.iter().find(|archive| archive.id == id).cloned()
        };
        if let Some(archive) = known() {
            return Ok(archive);
        }
        let now = anew()?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = now;
        known().ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "a chunk is in an archive that the volume doesn't know")
                .with("archive", id)
        })
    }

    fn open(&self, archive: &Archive, scale: u8, grid: &Grid) -> Result<Arc<dyn ChunkStore>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(&(archive.id, scale)) {
            return Ok(Arc::clone(store));
        }
        let store = format(&archive.format)?.read(Path::new(&archive.path), scale.into(), grid)?;
        let store: Arc<dyn ChunkStore> = store.into();
        open.insert((archive.id, scale), Arc::clone(&store));
        Ok(store)
    }
}
