//! Volumes, opened and read.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use chunks::{Coords, Grid, Region};
use engine_api::embedded::{Lock, absolute};
use engine_api::{Error, ErrorKind, Result};

use crate::chunk_store::check_element;
use crate::element::ElementType;
use crate::frames::{check_length, read_extent};
use crate::opened::{Opened, Place};

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockState {
    /// It was never written, or it was deleted; its voxels are zero.
    Missing,
    /// It was committed, and its checksum is known.
    Committed,
    /// It was written, and nothing but its frame says so: by Python, or in a volume without records.
    Unchecked,
    /// A first write was begun and isn't committed, and there are writers; its voxels are zero until it is.
    Pending,
    /// A first write was begun, and its writer ended before it was committed.
    Lost,
}

/// What a volume is.
#[derive(Clone, Debug)]
pub struct Info {
    /// The number of voxels along z, y and x.
    pub extent: [u64; 3],
    /// Those of a block.
    pub block: [u64; 3],
    /// How far apart the numbers of neighbouring blocks are.
    pub strides: [u64; 3],
    /// The type of the voxels.
    pub element: ElementType,
    /// The compressor's name; Python writes some that aren't written here.
    pub compressor: String,
    /// Its level.
    pub level: u8,
    /// The block files, where they are.
    pub files: Vec<PathBuf>,
    /// The width of an offset in the table in bits.
    pub offset_bits: u32,
    /// The width of a size.
    pub size_bits: u32,
    /// The number of blocks that the volume has.
    pub blocks: u64,
    /// Whether there are records of what was committed.
    pub recorded: bool,
    /// The application's metadata: keys, and their values as JSON.
    pub metadata: Vec<(String, String)>,
}

/// A volume in a directory file and block files.
///
/// It is a [`ChunkStore`](chunks::ChunkStore) that can be read; a [`BlockWriter`](crate::BlockWriter) is one that can be
/// written too. What others commit is seen by the next read, without opening anything again.
#[derive(Debug)]
pub struct BlockFs {
    path: PathBuf,
    grid: Grid,
    element: ElementType,
    opened: RwLock<Arc<Opened>>,
}

impl BlockFs {
    /// Opens a volume to be read, whoever wrote it.
    ///
    /// # Errors
    /// `NotFound`; `Incompatible` for a file that isn't a directory file; `Corrupt` and `TooLarge` for one that can't be
    /// right.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = absolute(path.as_ref())?;
        let opened = Opened::open(&path, false)?;
        Ok(Self {
            path,
            grid: opened.head.grid,
            element: opened.head.element.clone(),
            opened: RwLock::new(Arc::new(opened)),
        })
    }

    /// The path of the directory file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The grid of blocks, z, y, x. Its fill value is zero.
    ///
    /// Where chunks don't know the type of the voxels, the grid's is an unsigned one: as long as a voxel where there is
    /// one.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// What the volume is.
    pub fn info(&self) -> Result<Info> {
        let opened = self.current()?;
        let head = &opened.head;
        let three = |values: &[u64]| [0, 1, 2].map(|axis| values.get(axis).copied().unwrap_or(0));
        Ok(Info {
            extent: three(head.grid.shape()),
            block: three(head.grid.chunk_shape()),
            strides: head.strides,
            element: head.element.clone(),
            compressor: head.compressor.clone(),
            level: head.level,
            files: (0..head.names.len()).map(|file| opened.block_path(file)).collect::<Result<_>>()?,
            offset_bits: head.table.offset_bits,
            size_bits: head.table.size_bits,
            blocks: head.grid.chunk_count(),
            recorded: opened.records.is_some(),
            metadata: head.metadata().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        })
    }

    /// The type of the voxels.
    pub fn element(&self) -> &ElementType {
        &self.element
    }

    /// The block that begins at a voxel, z, y, x.
    ///
    /// # Errors
    /// `InvalidArgument` when no block of the volume begins there.
    pub fn block_at(&self, voxel: [i64; 3]) -> Result<Coords> {
        let block = self.grid.chunk_of(&voxel)?;
        let region = self.grid.clipped_region(&block)?;
        match region {
            Some(region) if region.offset() == voxel => Ok(block),
            _ => Err(Error::new(ErrorKind::InvalidArgument, "no block begins at the voxel")
                .with("voxel", format_args!("{voxel:?}"))
                .with("block", format_args!("{:?}", self.grid.chunk_shape()))
                .with("bounds", self.grid.bounds())),
        }
    }

    /// The voxels of a block; those at the edge are shorter.
    ///
    /// # Errors
    /// `InvalidArgument` for a block that is out of bounds, here and below.
    pub fn block_region(&self, block: &Coords) -> Result<Region> {
        self.current()?.head.block_region(block)
    }

    /// The length of a block's voxels in bytes.
    pub fn block_bytes(&self, block: &Coords) -> Result<usize> {
        self.current()?.head.block_bytes(block)
    }

    /// What is known of a block, without a look at its bytes.
    pub fn block_state(&self, block: &Coords) -> Result<BlockState> {
        let opened = self.current()?;
        let index = opened.head.index(block)?;
        self.state_of(opened.place(index)?)
    }

    /// Reads a block into `out`: its [voxels](Self::block_region) in C order, little-endian. Those of one that isn't
    /// there are zero, and the answer says so.
    ///
    /// # Errors
    /// `InvalidArgument` when `out` isn't as long as the block; `Corrupt` when the block is damaged or
    /// [lost](BlockState::Lost). The contents of `out` are unspecified then.
    pub fn read_block(&self, block: &Coords, out: &mut [u8]) -> Result<BlockState> {
        self.in_current(|opened| {
            let index = opened.head.index(block)?;
            check_length(&opened.head, block, out.len())?;
            let place = opened.place(index)?;
            self.read_place(opened, index, place, out)
        })
        .map_err(|error| error.with("block", block))
    }

    /// Reads a region of voxels into `out`: C order, little-endian; voxels that were never written are zero.
    ///
    /// # Errors
    /// As [`chunks::read_region`]; `Unsupported` for voxels of more than eight bytes.
    pub fn read_region(&self, region: &Region, out: &mut [u8]) -> Result<()> {
        check_element(self)?;
        chunks::read_region(self, region, out)
    }

    /// Whether anybody has the volume open to write.
    pub fn has_writers(&self) -> Result<bool> {
        let file = File::open(&self.path)
            .map_err(|error| Error::from_io(error, "the directory file can't be opened"))?;
        match Lock::take(file) {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == ErrorKind::Locked => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The files as they are now; a compaction puts others in their place.
    pub(crate) fn current(&self) -> Result<Arc<Opened>> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner).clone();
        if !opened.is_replaced(&self.path) {
            return Ok(opened);
        }
        let new = Arc::new(Opened::open(&self.path, false)?);
        if !new.head.is_same_volume(&opened.head) {
            return Err(Error::new(
                ErrorKind::SnapshotExpired,
                "another volume is in this one's place; open it",
            )
            .with("path", self.path.display()));
        }
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = new.clone();
        Ok(new)
    }

    /// Reads from the current files, and again where a compaction has removed them meanwhile.
    pub(crate) fn in_current<T>(&self, mut read: impl FnMut(&Opened) -> Result<T>) -> Result<T> {
        loop {
            let opened = self.current()?;
            match read(&opened) {
                Err(error) if error.kind() == ErrorKind::NotFound && opened.is_replaced(&self.path) => {}
                other => return other,
            }
        }
    }

    pub(crate) fn state_of(&self, place: Place) -> Result<BlockState> {
        Ok(match place {
            Place::Missing => BlockState::Missing,
            Place::Committed(_) => BlockState::Committed,
            Place::Unchecked { .. } => BlockState::Unchecked,
            Place::Begun if self.has_writers()? => BlockState::Pending,
            Place::Begun => BlockState::Lost,
        })
    }

    /// Reads the block of this number, wherever it is, into `out`.
    pub(crate) fn read_place(
        &self,
        opened: &Opened,
        index: u64,
        place: Place,
        out: &mut [u8],
    ) -> Result<BlockState> {
        match place {
            Place::Missing => {
                out.fill(0);
                Ok(BlockState::Missing)
            }
            Place::Begun => {
                // The write may have been committed since the place was looked up.
                let state = self.state_of(opened.place(index)?)?;
                match state {
                    BlockState::Lost => Err(Error::new(
                        ErrorKind::Corrupt,
                        "the block is lost: its writer ended before it was committed",
                    )),
                    BlockState::Pending | BlockState::Missing => {
                        out.fill(0);
                        Ok(state)
                    }
                    _ => self.read_place(opened, index, opened.place(index)?, out),
                }
            }
            Place::Committed(commit) => {
                read_extent(opened, index, commit.extent, Some(commit.sum), out)?;
                Ok(BlockState::Committed)
            }
            Place::Unchecked { extent, otherwise } => {
                match (read_extent(opened, index, extent, None, out), otherwise) {
                    (Ok(()), _) => Ok(BlockState::Unchecked),
                    (Err(error), Some(commit)) if error.kind() == ErrorKind::Corrupt && !commit.deleted => {
                        read_extent(opened, index, commit.extent, Some(commit.sum), out)?;
                        Ok(BlockState::Committed)
                    }
                    (Err(error), _) => Err(error),
                }
            }
        }
    }
}
