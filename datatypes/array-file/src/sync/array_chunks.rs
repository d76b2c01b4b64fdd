//! An array of a file as a store of chunks, for what is written once over all of them.

use std::sync::{Arc, Mutex, PoisonError};

use chunks::{ChunkSink, ChunkSource, ChunkStore, Coords, Fill, Grid, for_each_parallel};
use engine_api::{Error as ApiError, ErrorKind, Result as ApiResult};

use super::SyncFile;
use crate::BlockCodec;
use crate::array::Array;
use crate::coord::Coord;
use crate::encode::encode_chunk;
use crate::error::{Error, Result};
use crate::fetch::Portion;
use crate::pending::PendingChunk;

/// An array of a file as a [`ChunkStore`].
#[derive(Clone, Debug)]
pub struct ArrayChunks {
    file: SyncFile,
    array: Arc<Array>,
    grid: Grid,
}

impl ArrayChunks {
    pub(super) fn new(file: &SyncFile, array: Arc<Array>) -> Result<Self> {
        Ok(Self { grid: grid_of(&array)?, file: file.clone(), array })
    }

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
            let mut file = self.file.file().write().await;
            self.file.count_write();
            file.put_batch(&self.array, chunks).await
        };
        Ok(self.file.wait(put)?)
    }

    /// Puts chunks that were made from what was stored after `writes` writes; answers whether that still is.
    pub(super) fn put_derived(&self, chunks: Vec<(Coord, PendingChunk)>, writes: u64) -> ApiResult<bool> {
        let put = async {
            let mut file = self.file.file().write().await;
            if self.file.writes() != writes {
                return Ok(false);
            }
            file.put_batch(&self.array, chunks).await.map(|()| true)
        };
        Ok(self.file.wait(put)?)
    }

    /// Compresses the chunks of a source.
    pub(super) fn encode(&self, source: &dyn ChunkSource) -> ApiResult<Vec<(Coord, PendingChunk)>> {
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
        Ok(chunks.collect())
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
                let file = self.file.file().read().await;
                file.visit_chunks(&self.array, std::slice::from_ref(&coord), Portion::Whole, |_, found| {
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
            let file = self.file.file().read().await;
            file.visit_chunks(&self.array, &coords, Portion::Whole, |number, found| {
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
        self.put_all(self.encode(source)?)
    }

    fn delete_chunks(&self, chunks: &[Coords]) -> ApiResult<()> {
        let coords = chunks.iter().map(|chunk| self.coord(chunk)).collect::<ApiResult<Vec<_>>>()?;
        self.put_all(coords.into_iter().flatten().map(|coord| (coord, PendingChunk::Removed)).collect())
    }

    fn list_chunks(&self, visit: &mut dyn FnMut(&Coords) -> ApiResult<()>) -> ApiResult<()> {
        let list = async {
            let file = self.file.file().read().await;
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
        let _guard = self.file.exclusive();
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
