//! Blocks of bytes in a part of a file, and commits of them.

use std::fmt;
use std::sync::Arc;

use engine_api::{Error, ErrorKind, Result};

use crate::commit::Prepared;
use crate::file::StorageFile;
use crate::header::{STORAGE_HEADER, StorageHeader};
use crate::load::load as load_tree;
use crate::node::PAGE_BYTES;
use crate::numbers::wide;
use crate::pins::{Pin, Waiting};
use crate::space::{ALLOCATIONS, FREE_CHUNKS, Space};
use crate::tree::Tree;

/// Headers must be within a sector, so that a disk writes them whole.
const SECTOR: u64 = 512;

/// How many nodes a cache needs room for that has nothing else: its four roots, and those of the next commit.
pub(crate) const PAGES_OF_EMPTY: u64 = 24;

/// Blocks of bytes in a file, or in the part of it from an offset on: allocated, freed, made longer and shorter, and
/// committed at once.
///
/// ```
/// use std::sync::Arc;
///
/// use dataset_cache::{BlockStorage, MemoryFile};
///
/// # fn main() -> engine_api::Result<()> {
/// let file = Arc::new(MemoryFile::default());
/// // The 8 bytes before the storage are the owner's, and are committed with it.
/// let mut storage = BlockStorage::create(file.clone(), 8, &[0; 8])?;
/// let block = storage.allocate(100)?.expect("there is no limit");
/// storage.write(block, 0, b"hello")?;
/// storage.commit(&block.to_le_bytes())?;
///
/// let storage = BlockStorage::open(file, 8)?;
/// let mut found = [0; 5];
/// storage.read(block, 0, &mut found)?;
/// assert_eq!(&found, b"hello");
/// # Ok(())
/// # }
/// ```
///
/// # Contract
/// - What was committed is there whenever the file is opened: the next commit, or the one before.
/// - What isn't committed isn't there: a block that was allocated is free again, and one that was freed isn't.
/// - Bytes of blocks aren't copied: who wants a committed block to be whole after a kill writes another one, and
///   frees this one.
/// - After a commit that failed all that changes is `Poisoned`.
pub struct BlockStorage {
    pub(crate) file: Arc<dyn StorageFile>,
    pub(crate) offset: u64,
    pub(crate) space: Space,
    pub(crate) waiting: Waiting,
    /// The number of the last commit.
    pub(crate) commit: u64,
    pub(crate) poisoned: bool,
}

impl BlockStorage {
    /// Makes an empty storage at an offset; what the file has from there on is lost. `prefix` is as long as the offset.
    ///
    /// # Errors
    /// `InvalidArgument` when the headers would reach beyond the first sector, 512 bytes.
    pub fn create(file: Arc<dyn StorageFile>, offset: u64, prefix: &[u8]) -> Result<Self> {
        check_offset(offset)?;
        let mut storage = Self::empty(file, offset);
        storage.reset(prefix)?;
        Ok(storage)
    }

    /// Opens a storage.
    ///
    /// # Errors
    /// `Incompatible` when there is none, or one of another version; `Corrupt` when it is damaged.
    pub fn open(file: Arc<dyn StorageFile>, offset: u64) -> Result<Self> {
        check_offset(offset)?;
        let mut storage = Self::load(file, offset, u64::MAX)?;
        storage.free_passing()?;
        Ok(storage)
    }

    /// Frees what the last opener has left passing, and gives it back if it is at the end.
    pub(crate) fn free_passing(&mut self) -> Result<()> {
        self.space.free_passing();
        self.cut_off()?;
        let length = self.file.length().map_err(|error| Error::from_io(error, "the length can't be read"))?;
        if length < self.space.end() {
            return Err(Error::new(ErrorKind::Corrupt, "the file was cut off")
                .with("bytes", length)
                .with("expected", self.space.end()));
        }
        Ok(())
    }

    /// A storage that has nothing yet, not even a header.
    pub(crate) fn empty(file: Arc<dyn StorageFile>, offset: u64) -> Self {
        let space = Space::new(offset + wide(STORAGE_HEADER), u64::MAX);
        Self { file, offset, space, waiting: Waiting::default(), commit: jump(), poisoned: false }
    }

    /// Reads a storage. What the last opener has left passing still is.
    pub(crate) fn load(file: Arc<dyn StorageFile>, offset: u64, limit: u64) -> Result<Self> {
        let header = StorageHeader::read(&*file, offset)?;
        let mut storage = Self::empty(file, offset);
        storage.space.set_limit(limit);
        if header == StorageHeader::default() {
            return Ok(storage);
        }
        let start = storage.space.start();
        let file = &*storage.file;
        let (allocations, commit) = load_tree(file, ALLOCATIONS, header.allocations, None, start)?;
        let (free, _) = load_tree(file, FREE_CHUNKS, header.free, Some(commit), start)?;
        let corrupt = |message| Error::new(ErrorKind::Corrupt, message);
        storage.space = Space::from_trees(start, limit, allocations, free)?;
        // A number that was given to a commit that wasn't made isn't given again.
        storage.commit =
            commit.checked_add(jump()).ok_or_else(|| corrupt("there is no commit of this number"))?;
        storage.check_nodes(&[])?;
        Ok(storage)
    }

    /// That all nodes of the storage's trees, and of others, are blocks of their length; answers how many there are.
    pub(crate) fn check_nodes(&self, others: &[&Tree]) -> Result<u64> {
        let mut nodes = 0;
        for tree in [&self.space.allocations, &self.space.free].into_iter().chain(others.iter().copied()) {
            tree.addresses(&mut |address| {
                nodes += 1;
                match self.space.block(address) {
                    Some((PAGE_BYTES, false)) => Ok(()),
                    _ => Err(Error::new(ErrorKind::Corrupt, "a node isn't a block").with("address", address)),
                }
            })?;
        }
        Ok(nodes)
    }

    /// Lets the file not get longer than this many bytes from now on.
    pub fn set_limit(&mut self, limit: u64) {
        self.space.set_limit(limit);
    }

    /// Commits, and cuts off the free chunk at the end. `prefix` is what the owner has before the storage, as long
    /// as the offset; it is written with the storage's own header, at once.
    ///
    /// # Errors
    /// `InvalidArgument` for a prefix of another length; `Full`, `Io`: then the file has this commit or the one before,
    /// and the storage is `Poisoned`.
    pub fn commit(&mut self, prefix: &[u8]) -> Result<()> {
        self.check()?;
        if wide(prefix.len()) != self.offset {
            return Err(Error::new(ErrorKind::InvalidArgument, "the prefix isn't as long as the offset")
                .with("bytes", prefix.len())
                .with("offset", self.offset));
        }
        self.reuse();
        let written = self.prepare(&mut [], |_| prefix.to_vec()).and_then(|prepared| {
            self.cover()?;
            prepared.write(&*self.file)?;
            self.finish(prepared);
            self.reuse();
            self.cut_off()
        });
        self.poisoned |= written.is_err();
        written
    }

    /// Makes the file as long as the area, so that what is reserved and not written yet is within it. Whoever writes a
    /// block at the moment makes it no longer than that.
    pub(crate) fn cover(&self) -> Result<()> {
        let (end, length) = (self.space.end(), self.file.length());
        let longer = length.and_then(|length| if length < end { self.file.set_length(end) } else { Ok(()) });
        longer.map_err(|error| Error::from_io(error, "the file can't be made longer"))
    }

    /// Gives the free chunk at the end back. What the last commit says of it doesn't matter: nobody has it.
    pub(crate) fn cut_off(&mut self) -> Result<()> {
        self.space.trim();
        let (end, length) = (self.space.end(), self.file.length());
        let cut = length.and_then(|length| if length > end { self.file.set_length(end) } else { Ok(()) });
        cut.map_err(|error| Error::from_io(error, "the file can't be cut off"))
    }

    /// Makes the storage empty, on the disk too.
    pub(crate) fn reset(&mut self, prefix: &[u8]) -> Result<()> {
        let fresh = Self::empty(Arc::clone(&self.file), self.offset);
        let headers = [prefix, &StorageHeader::default().bytes()].concat();
        let written = self.file.write_at(&headers, 0).and_then(|()| self.file.sync());
        let written = written.and_then(|()| self.file.set_length(wide(headers.len())));
        let limit = self.space.limit();
        *self = Self { commit: self.commit, poisoned: self.poisoned, ..fresh };
        self.space.set_limit(limit);
        written.map_err(|error| {
            self.poisoned = true;
            Error::from_io(error, "the headers can't be written")
        })
    }

    /// A pin on all blocks that are there now.
    pub(crate) fn pin(&self) -> Pin {
        self.waiting.pin()
    }

    /// Reserves a block, unless that would leave room for fewer nodes than this.
    pub(crate) fn reserve(&mut self, size: u64, pages: u64) -> Option<u64> {
        let block = self.space.reserve(size)?;
        if self.space.room_for_pages() < pages {
            // Nobody has written to it.
            self.space.free(block);
            return None;
        }
        Some(block)
    }

    /// Frees a block once nobody can need it.
    pub(crate) fn release(&mut self, block: u64) {
        if self.space.retire(block) {
            self.waiting.add(block);
        }
    }

    /// Makes room of what was freed before the last commit.
    pub(crate) fn reuse(&mut self) {
        while let Some(freed) = self.waiting.next_reusable() {
            for block in freed {
                self.space.free(block);
            }
        }
    }

    /// How many nodes the next commit can have to write at most, if so many more are changed before.
    pub(crate) fn pages_to_commit(&self, others: &[&Tree], more: usize) -> u64 {
        let own = [&self.space.allocations, &self.space.free];
        let (mut all, mut dirty) = (0, more);
        for (nodes, changed) in own.iter().chain(others).map(|tree| tree.nodes()) {
            all += nodes;
            dirty += changed;
        }
        // Every node that gets a place and every one that loses one changes the storage's trees, and they may be split.
        let own: usize = own.iter().map(|tree| tree.nodes().0).sum();
        let dirty = dirty.min(all + more.min(4));
        wide(dirty + own.min(3 * dirty + 8) + dirty / 16 + 4)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.poisoned {
            return Err(Error::new(ErrorKind::Poisoned, "a commit has failed; open the file anew"));
        }
        Ok(())
    }

    /// Gives all changed nodes their places, and takes what is to be written.
    ///
    /// # Errors
    /// `Full` when the limit leaves no room for the nodes.
    pub(crate) fn prepare(
        &mut self,
        others: &mut [&mut Tree],
        prefix: impl FnOnce(&[u64]) -> Vec<u8>,
    ) -> Result<Prepared> {
        Prepared::new(self, others, prefix)
    }

    /// What was prepared has been written.
    pub(crate) fn finish(&mut self, prepared: Prepared) {
        self.waiting.committed(prepared.sealed);
    }
}

impl fmt::Debug for BlockStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockStorage")
            .field("file", &self.file)
            .field("offset", &self.offset)
            .field("blocks", &self.space.blocks())
            .field("commit", &self.commit)
            .finish_non_exhaustive()
    }
}

/// How far the numbers of commits jump when a storage is opened.
fn jump() -> u64 {
    let random = uuid::Uuid::new_v4().as_u128();
    1 + u64::try_from(random & 0xffff_ffff).unwrap_or(0)
}

fn check_offset(offset: u64) -> Result<()> {
    if offset.checked_add(wide(STORAGE_HEADER)).is_none_or(|end| end > SECTOR) {
        return Err(Error::new(ErrorKind::InvalidArgument, "the storage's header isn't in the first sector")
            .with("offset", offset)
            .with("sector", SECTOR));
    }
    Ok(())
}
