//! What keeps an array at several scales.

use std::fmt;

use engine_api::Result;

use crate::{ChunkSource, ChunkStore, Coords, Scales};

/// A store of one array at several scales.
///
/// Each scale is a [`ChunkStore`]; scale 0 is the array itself. What is written at one scale changes no other:
/// coarser scales are made by whoever writes the finer, through [`derive`](MultiscaleStore::derive).
///
/// # Contract
/// - The grid of scale s is that of [`scales`](MultiscaleStore::scales).
/// - All methods may be called from several threads at once.
pub trait MultiscaleStore: Send + Sync + fmt::Debug {
    /// The grids of all scales; the same for as long as the store is open.
    fn scales(&self) -> &Scales;

    /// The chunks of a scale.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale.
    fn scale(&self, scale: usize) -> Result<&dyn ChunkStore>;

    /// Writes chunks of a scale that are made from stored ones, in one atomic batch.
    ///
    /// The batch lands only if every chunk that the source has read through the reader that it is given is
    /// still what was read; otherwise the source is asked anew. So what is stored is what the source makes of
    /// the chunks that are stored beside it, whoever else writes at the time. A chunk that is nothing but the
    /// fill value is removed.
    ///
    /// # Errors
    /// `InvalidArgument` when there is no such scale or a chunk is out of its bounds; `TooLarge` when the batch is
    /// over the store's limits; `Conflict` when others have kept changing what was read; an error of the source.
    fn derive(&self, scale: usize, source: &dyn DerivedChunks) -> Result<()>;
}

/// Reads chunks of any scale, and takes note of what was read.
pub trait ScaleReader: Sync {
    /// Reads a chunk into `out`, as [`ChunkStore::read_chunk`] does.
    ///
    /// # Errors
    /// As [`ChunkStore::read_chunk`]; `InvalidArgument` when there is no such scale.
    fn read_chunk(&self, scale: usize, chunk: &Coords, out: &mut [u8]) -> Result<bool>;
}

/// Chunks that are made from stored ones.
pub trait DerivedChunks: Sync {
    /// The number of chunks.
    fn len(&self) -> usize;

    /// Whether there is no chunk.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where chunk number `index` goes; each chunk is named once.
    fn coords(&self, index: usize) -> Coords;

    /// Puts the elements of chunk number `index` into `out`, a chunk's length, whose contents are unspecified.
    /// It may be called from several threads, and more than once for a chunk.
    fn make(&self, index: usize, stored: &dyn ScaleReader, out: &mut [u8]) -> Result<()>;
}

/// Derived chunks as a source, for authors of stores.
pub struct Derived<'a> {
    source: &'a dyn DerivedChunks,
    stored: &'a dyn ScaleReader,
}

impl<'a> Derived<'a> {
    /// The chunks that a source makes of what it reads through a reader.
    pub fn new(source: &'a dyn DerivedChunks, stored: &'a dyn ScaleReader) -> Self {
        Self { source, stored }
    }
}

impl fmt::Debug for Derived<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derived").field("chunks", &self.source.len()).finish_non_exhaustive()
    }
}

impl ChunkSource for Derived<'_> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn coords(&self, index: usize) -> Coords {
        self.source.coords(index)
    }

    fn read(&self, index: usize, out: &mut [u8]) -> Result<()> {
        self.source.make(index, self.stored, out)
    }
}

macro_rules! forward_multiscale_store {
    ($($pointer:ty),*) => {$(
        impl<S: MultiscaleStore + ?Sized> MultiscaleStore for $pointer {
            fn scales(&self) -> &Scales {
                (**self).scales()
            }
            fn scale(&self, scale: usize) -> Result<&dyn ChunkStore> {
                (**self).scale(scale)
            }
            fn derive(&self, scale: usize, source: &dyn DerivedChunks) -> Result<()> {
                (**self).derive(scale, source)
            }
        }
    )*};
}

forward_multiscale_store!(&S, Box<S>, std::sync::Arc<S>);
