//! Arrays of a file as stores of chunks, for what is written once over all of them.

use std::sync::{Arc, Mutex, PoisonError};

use chunks::{ChunkSink, ChunkSource, ChunkStore, Coords, Fill, Grid, for_each_parallel};
use engine_api::{Error as ApiError, ErrorKind, Result as ApiResult};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::RwLock;

use crate::array::Array;
use crate::coord::Coord;
use crate::encode::encode_chunk;
use crate::error::{Error, Result};
use crate::pending::PendingChunk;
use crate::{ArrayFile, BlockCodec};

/// A file for callers that aren't asynchronous, with a runtime of its own.
///
/// Its methods wait for the store, so an asynchronous task calls them on a thread for blocking work. Where one
/// is called on an executor's thread nevertheless, it waits there, and doesn't panic or deadlock.
#[derive(Clone, Debug)]
pub struct SyncFile {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: RwLock<ArrayFile>,
    runtime: Runtime,
    /// Held by a read and the write that depends on it.
    exclusive: Mutex<()>,
}

impl SyncFile {
    /// Opens or makes a file: `open` is awaited on the runtime that the file will have.
    ///
    /// ```
    /// use array_file::{ArrayFile, ArraySpec, FileConfig, SyncFile};
    /// use chunks::{read_region, write_region};
    ///
    /// # fn main() -> engine_api::Result<()> {
    /// let file = SyncFile::open(ArrayFile::create_memory(FileConfig::default()))?;
    /// file.update(|file| file.define_array("a", ArraySpec::new::<u8>(&[100, 100])).map(|_| ()))?;
    /// let store = file.chunks("a")?;
    /// let region = "60:70,0:2".parse()?;
    /// write_region(&store, &region, &[7; 20])?;
    /// assert_eq!(file.flush()?, 1);
    /// let mut read = [0; 20];
    /// read_region(&store, &region, &mut read)?;
    /// assert_eq!(read, [7; 20]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of `open`; `Worker` when there is no thread for the runtime.
    pub fn open(open: impl Future<Output = Result<ArrayFile>> + Send) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("array-file")
            .enable_all()
            .build()
            .map_err(|error| Error::Worker(error.to_string()))?;
        let file = RwLock::new(run(&runtime, open)?);
        Ok(Self { shared: Arc::new(Shared { file, runtime, exclusive: Mutex::default() }) })
    }

    /// An array as a store of chunks. What is written to it is pending until [`flush`](Self::flush).
    ///
    /// # Errors
    /// `ArrayNotFound`; `InvalidValue` when its elements are of a type that `chunks` doesn't have, or it has
    /// not one to five axes, all of some length.
    pub fn chunks(&self, array: &str) -> Result<ArrayChunks> {
        let found = self.read(|file| file.catalog_entry(array))?;
        let grid = grid_of(&found)?;
        Ok(ArrayChunks { file: self.clone(), array: found, grid })
    }

    /// Commits all that is pending, as [`ArrayFile::flush`] does.
    ///
    /// # Errors
    /// As there.
    pub fn flush(&self) -> Result<u64> {
        self.wait(async { self.shared.file.write().await.flush().await })
    }

    /// Looks at the file.
    pub fn read<T: Send>(&self, look: impl FnOnce(&ArrayFile) -> T + Send) -> T {
        self.wait(async { look(&*self.shared.file.read().await) })
    }

    /// Changes the file by what isn't asynchronous.
    pub fn update<T: Send>(&self, change: impl FnOnce(&mut ArrayFile) -> T + Send) -> T {
        self.wait(async { change(&mut *self.shared.file.write().await) })
    }

    /// Runs anything asynchronous on the file, alone.
    pub fn run<T: Send>(&self, work: impl AsyncFnOnce(&mut ArrayFile) -> T) -> T {
        // A future that isn't known to be `Send` is driven where it was made.
        let work = async { work(&mut *self.shared.file.write().await).await };
        self.shared.runtime.block_on(work)
    }

    fn wait<F: Future<Output: Send> + Send>(&self, work: F) -> F::Output {
        run(&self.shared.runtime, work)
    }
}

/// Drives a future to its end: here, or where this is a thread of an executor, on one that isn't.
fn run<F: Future<Output: Send> + Send>(runtime: &Runtime, work: F) -> F::Output {
    if Handle::try_current().is_err() {
        return runtime.block_on(work);
    }
    std::thread::scope(|scope| match scope.spawn(|| runtime.block_on(work)).join() {
        Ok(output) => output,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// An array of a file as a [`ChunkStore`].
#[derive(Clone, Debug)]
pub struct ArrayChunks {
    file: SyncFile,
    array: Arc<Array>,
    grid: Grid,
}

impl ArrayChunks {
    /// The file that the array is in.
    pub fn file(&self) -> &SyncFile {
        &self.file
    }

    /// A chunk's coordinates here, or `None` where no chunk of the array is.
    fn coord(&self, chunk: &Coords) -> ApiResult<Option<Coord>> {
        self.grid.chunk_region(chunk)?;
        let coord: Option<Coord> = chunk.iter().map(|axis| u32::try_from(*axis).ok()).collect();
        Ok(coord.filter(|coord| self.array.is_in_bounds(coord)))
    }

    /// The coordinates of a chunk that is written.
    fn coord_in_bounds(&self, chunk: &Coords) -> ApiResult<Coord> {
        self.coord(chunk)?.ok_or_else(|| {
            ApiError::new(ErrorKind::InvalidArgument, "the chunk is out of bounds")
                .with("chunk", chunk)
                .with("bounds", self.grid.bounds())
        })
    }

    fn put_all(&self, chunks: Vec<(Coord, PendingChunk)>) -> ApiResult<()> {
        let put = async {
            let mut file = self.file.shared.file.write().await;
            file.put_batch(&self.array, chunks).await
        };
        Ok(self.file.wait(put)?)
    }
}

impl ChunkStore for ArrayChunks {
    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn read_chunk(&self, chunk: &Coords, out: &mut [u8]) -> ApiResult<bool> {
        self.grid.check_buffer(out.len())?;
        let mut stored = false;
        if let Some(coord) = self.coord(chunk)? {
            let read = async {
                let file = self.file.shared.file.read().await;
                file.visit_chunks(&self.array, std::slice::from_ref(&coord), |_, found| {
                    if let Some(found) = found {
                        out.copy_from_slice(found);
                        stored = true;
                    }
                    Ok(())
                })
                .await
            };
            self.file.wait(read)?;
        }
        if !stored {
            self.grid.fill().write(out);
        }
        Ok(stored)
    }

    fn read_chunks(&self, chunks: &[Coords], sink: &ChunkSink<'_>) -> ApiResult<()> {
        let mut inside = Vec::new();
        for (number, chunk) in chunks.iter().enumerate() {
            match self.coord(chunk)? {
                Some(coord) => inside.push((coord, number)),
                None => sink(number, None)?,
            }
        }
        inside.sort_unstable();
        let mut coords: Vec<Coord> = inside.iter().map(|(coord, _)| coord.clone()).collect();
        coords.dedup();
        let mut failure = None;
        let read = async {
            let file = self.file.shared.file.read().await;
            file.visit_chunks(&self.array, &coords, |number, found| {
                let from = inside.partition_point(|(coord, _)| *coord < coords[number]);
                let asked = inside.iter().skip(from).take_while(|(coord, _)| *coord == coords[number]);
                for (_, number) in asked {
                    if failure.is_none() {
                        failure = sink(*number, found).err();
                    }
                }
                Ok(())
            })
            .await
        };
        self.file.wait(read)?;
        failure.map_or(Ok(()), Err)
    }

    fn write_chunks(&self, source: &dyn ChunkSource) -> ApiResult<()> {
        let (packs, codec): (bool, BlockCodec) =
            self.file.read(|file| (file.packs(&self.array), file.codec().clone()));
        let mut encoded = Vec::with_capacity(source.len());
        for index in 0..source.len() {
            encoded.push((self.coord_in_bounds(&source.coords(index))?, Mutex::new(None)));
        }
        for_each_parallel(
            encoded.len(),
            self.grid.chunk_bytes().saturating_mul(3),
            || vec![0; self.grid.chunk_bytes()],
            |buffer, index| {
                source.read(index, buffer)?;
                let (coord, slot) = &encoded[index];
                let chunk = if self.grid.fill().fills(buffer) {
                    PendingChunk::Removed
                } else if packs {
                    PendingChunk::Raw(Arc::new(buffer.clone()))
                } else {
                    encode_chunk(&self.array, coord, &codec, buffer)?
                };
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(chunk);
                Ok(())
            },
        )?;
        let chunks = encoded.into_iter().filter_map(|(coord, slot)| {
            Some((coord, slot.into_inner().unwrap_or_else(PoisonError::into_inner)?))
        });
        self.put_all(chunks.collect())
    }

    fn delete_chunks(&self, chunks: &[Coords]) -> ApiResult<()> {
        let coords = chunks.iter().map(|chunk| self.coord(chunk)).collect::<ApiResult<Vec<_>>>()?;
        self.put_all(coords.into_iter().flatten().map(|coord| (coord, PendingChunk::Removed)).collect())
    }

    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> ApiResult<()>) -> ApiResult<()> {
        let list = async {
            let file = self.file.shared.file.read().await;
            file.all_chunks(&self.array).await
        };
        for coord in self.file.wait(list)? {
            let axes: Option<Vec<i32>> = coord.iter().map(|axis| i32::try_from(*axis).ok()).collect();
            if let Some(axes) = axes.filter(|_| self.array.is_in_bounds(&coord)) {
                visit(&Coords::new(&axes)?)?;
            }
        }
        Ok(())
    }

    fn exclusively(&self, work: &mut dyn FnMut() -> ApiResult<()>) -> ApiResult<()> {
        let _guard = self.file.shared.exclusive.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }
}

fn grid_of(array: &Array) -> Result<Grid> {
    let meta = &array.meta;
    let unsupported = |error: ApiError| Error::invalid("the array is no grid of chunks", error.report());
    let dtype = meta.dtype.as_chunks();
    let dtype = dtype
        .ok_or_else(|| Error::invalid("the elements are of a type that chunks don't have", &meta.dtype))?;
    let fill = Fill::from_bytes(dtype, &array.fill).map_err(unsupported)?;
    Grid::new(&meta.shape, &meta.chunk_shape, dtype)
        .and_then(|grid| grid.with_fill(fill))
        .map_err(unsupported)
}
