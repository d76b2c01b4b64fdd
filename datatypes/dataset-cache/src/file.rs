//! The file beneath a storage: on a disk, or whatever reads and writes at a place.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

#[cfg(unix)]
use std::sync::{Arc, RwLock};

use engine_api::embedded;

use crate::checksum::crc32c_append;
#[cfg(unix)]
use crate::map::Map;
use crate::numbers::wide;

/// So much is read before its checksum is computed, so that it is still in the processor's second cache. Shorter parts,
/// which the first would hold, cost more than they save; a multiple of what CRC-32C is computed of at once.
const PART: usize = 128 << 10;

/// What a storage needs of a file. [`DiskFile`] is the one that is used; tests have others, which fail.
///
/// # Contract
/// - All methods may be called from several threads at once; those that call see to it that nobody reads what another
///   writes at that moment.
/// - What was written before [`sync`](Self::sync) was called survives a power cut once it has returned.
pub trait StorageFile: Send + Sync + fmt::Debug {
    /// The length in bytes.
    ///
    /// # Errors
    /// What the operating system says, here and below.
    fn length(&self) -> io::Result<u64>;

    /// Reads as many bytes as there are from `at` on, up to the length of `out`.
    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize>;

    /// Fills `out` with what is from `at` on, and answers its CRC-32C, behind bytes whose CRC-32C is `sum`; `None` where the
    /// file ends before.
    fn read_summed(&self, out: &mut [u8], mut at: u64, mut sum: u32) -> io::Result<Option<u32>> {
        for part in out.chunks_mut(PART) {
            if self.read_at(part, at)? < part.len() {
                return Ok(None);
            }
            sum = crc32c_append(sum, part);
            at = at.saturating_add(wide(part.len()));
        }
        Ok(Some(sum))
    }

    /// Writes all of `data` from `at` on; the file becomes longer where it has to.
    fn write_at(&self, data: &[u8], at: u64) -> io::Result<()>;

    /// Cuts the file off, or makes it longer by zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Forces what was written to the disk.
    fn sync(&self) -> io::Result<()>;
}

/// The least that is mapped, so that a file that grows isn't mapped anew each time.
#[cfg(unix)]
const LEAST_MAP: u64 = 1 << 20;

/// A file on a disk. On Unix it is read through a mapping, elsewhere by calls.
#[derive(Debug)]
pub struct DiskFile {
    file: File,
    length: AtomicU64,
    #[cfg(unix)]
    map: Option<RwLock<Option<Arc<Map>>>>,
}

impl DiskFile {
    /// A file that is open; `mapped` says whether to read it through a mapping.
    pub fn new(file: File, mapped: bool) -> io::Result<Self> {
        let length = AtomicU64::new(file.metadata()?.len());
        #[cfg(not(unix))]
        let _ = mapped;
        Ok(Self {
            file,
            length,
            #[cfg(unix)]
            map: mapped.then(RwLock::default),
        })
    }

    /// The mapping of a range, and where in it the range begins; `None` where it can't be mapped.
    #[cfg(unix)]
    fn mapped(&self, at: u64, bytes: usize) -> Option<(Arc<Map>, usize)> {
        let (slot, end) = (self.map.as_ref()?, at.checked_add(wide(bytes))?);
        let length = self.length.load(Ordering::Acquire);
        if end > length {
            return None;
        }
        let (start, end) = (usize::try_from(at).ok()?, usize::try_from(end).ok()?);
        let map = slot.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(map) = map.filter(|map| end <= map.len()) {
            return Some((map, start));
        }
        let wanted = usize::try_from(length.max(LEAST_MAP).checked_next_power_of_two()?).ok()?;
        let map = Arc::new(Map::new(&self.file, wanted).ok()?);
        let mut slot = slot.write().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_none_or(|other| other.len() < map.len()) {
            *slot = Some(Arc::clone(&map));
        }
        Some((map, start))
    }
}

impl StorageFile for DiskFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize> {
        #[cfg(unix)]
        if let Some((map, start)) = self.mapped(at, out.len())
            && map.copy(start, out)
        {
            return Ok(out.len());
        }
        embedded::read_at(&self.file, out, at)
    }

    #[cfg(unix)]
    fn read_summed(&self, out: &mut [u8], at: u64, sum: u32) -> io::Result<Option<u32>> {
        if let Some((map, start)) = self.mapped(at, out.len())
            && let Some(sum) = map.copy_summed(start, out, sum)
        {
            return Ok(Some(sum));
        }
        if embedded::read_at(&self.file, out, at)? < out.len() {
            return Ok(None);
        }
        Ok(Some(crc32c_append(sum, out)))
    }

    fn write_at(&self, data: &[u8], at: u64) -> io::Result<()> {
        embedded::write_all_at(&self.file, data, at)?;
        self.length.fetch_max(at.saturating_add(wide(data.len())), Ordering::AcqRel);
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        // Nobody may read by the mapping what is about to go.
        self.length.fetch_min(length, Ordering::AcqRel);
        self.file.set_len(length)?;
        self.length.store(length, Ordering::Release);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A file in memory: for tests, and for bytes that have no file.
#[derive(Default)]
pub struct MemoryFile(Mutex<Vec<u8>>);

impl MemoryFile {
    /// A file that has these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Mutex::new(bytes))
    }

    /// The bytes that it has now.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for MemoryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("MemoryFile").field("bytes", &length).finish()
    }
}

impl StorageFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(wide(self.0.lock().unwrap_or_else(PoisonError::into_inner).len()))
    }

    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let read = from.len().min(out.len());
        out[..read].copy_from_slice(&from[..read]);
        Ok(read)
    }

    fn write_at(&self, data: &[u8], at: u64) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(at).map_err(|_| io::ErrorKind::StorageFull)?;
        let end = start.checked_add(data.len()).ok_or(io::ErrorKind::StorageFull)?;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(data);
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::StorageFull)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).resize(length, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
