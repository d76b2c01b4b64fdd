//! Arrays of a file as the scales of one.

use chunks::{ChunkStore, Coords, Derived, DerivedChunks, MultiscaleStore, ScaleReader, Scales};
use engine_api::{Error as ApiError, ErrorKind, Result as ApiResult};

use super::{ArrayChunks, SyncFile};
use crate::error::{Error, Result};

/// A derivation that keeps finding the file changed gives up after this many attempts.
const ATTEMPTS: u32 = 64;

/// Arrays of one file as a [`MultiscaleStore`]. What is written to it is pending until the file is flushed, so
/// that a commit has all scales or none.
#[derive(Clone, Debug)]
pub struct ArrayScales {
    file: SyncFile,
    stores: Vec<ArrayChunks>,
    scales: Scales,
}

impl ArrayScales {
    pub(super) fn new(file: &SyncFile, stores: Vec<ArrayChunks>, scales: Scales) -> Result<Self> {
        if stores.len() != scales.len() {
            return Err(Error::invalid("there aren't as many arrays as scales", stores.len()));
        }
        for (store, grid) in stores.iter().zip(scales.grids()) {
            if store.grid() != grid {
                return Err(Error::invalid(
                    "an array isn't what its scale says",
                    format!("{:?}", store.grid()),
                ));
            }
        }
        Ok(Self { file: file.clone(), stores, scales })
    }

    fn store(&self, scale: usize) -> ApiResult<&ArrayChunks> {
        self.scales.grid(scale)?;
        let store = self.stores.get(scale);
        store.ok_or_else(|| {
            ApiError::new(ErrorKind::Internal, "a scale without an array").with("scale", scale)
        })
    }
}

impl MultiscaleStore for ArrayScales {
    fn scales(&self) -> &Scales {
        &self.scales
    }

    fn scale(&self, scale: usize) -> ApiResult<&dyn ChunkStore> {
        self.store(scale).map(|store| store as &dyn ChunkStore)
    }

    fn derive(&self, scale: usize, source: &dyn DerivedChunks) -> ApiResult<()> {
        let target = self.store(scale)?;
        // One at a time, so that derivations don't undo each other, and only others' writes count.
        let _guard = self.file.deriving();
        for _ in 0..ATTEMPTS {
            let writes = self.file.writes();
            let chunks = target.encode(&Derived::new(source, self))?;
            if target.put_derived(chunks, writes)? {
                return Ok(());
            }
        }
        Err(ApiError::new(ErrorKind::Conflict, "others kept changing what the chunks are made from")
            .with("scale", scale))
    }
}

impl ScaleReader for ArrayScales {
    fn read_chunk(&self, scale: usize, chunk: &Coords, out: &mut [u8]) -> ApiResult<bool> {
        self.store(scale)?.read_chunk(chunk, out)
    }
}
