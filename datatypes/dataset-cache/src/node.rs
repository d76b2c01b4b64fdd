//! The nodes of a B+ tree: in memory, and as a page of a file.

use std::sync::atomic::AtomicI64;

use engine_api::{Error, ErrorKind, Result};

use crate::file::StorageFile;
use crate::numbers::{u16_at, u32_at, u64_at, wide};

/// The length of a node in a file.
pub(crate) const PAGE: usize = 4096;

/// The same, as storage counts.
pub(crate) const PAGE_BYTES: u64 = 4096;

const HEADER: usize = 32;
const MAGIC: &[u8; 2] = b"BN";
const ROOT: u16 = 1;

/// The mark of an entry that has none.
pub(crate) const NO_MARK: i64 = i64::MIN;

/// More levels than any tree has whose file fits on a disk.
pub(crate) const MOST_LEVELS: u8 = 16;

/// What a tree's entries look like. Keys compare as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// What the tree is for, so that no node is taken for one of another tree.
    pub(crate) kind: u8,
    pub(crate) key: usize,
    pub(crate) value: usize,
    /// Whether entries have marks in memory.
    pub(crate) marks: bool,
}

impl Layout {
    /// How long an entry is in memory: of a leaf, a key and a value; of an inner node, a key.
    pub(crate) fn stride(self, level: u8) -> usize {
        if level == 0 { self.key + self.value } else { self.key }
    }

    /// How many entries a node has at most: in a page an inner one's have an address behind the key.
    pub(crate) fn capacity(self, level: u8) -> usize {
        (PAGE - HEADER) / self.page_stride(level)
    }

    fn page_stride(self, level: u8) -> usize {
        self.key + if level == 0 { self.value } else { 8 }
    }

    /// The entries of this level, put in order beside their keys.
    pub(crate) fn key_at(self, entries: &[u8], level: u8, index: usize) -> &[u8] {
        let at = index * self.stride(level);
        &entries[at..at + self.key]
    }
}

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It was changed, and has no place yet.
    Dirty,
    /// The next commit writes it here.
    Placed(u64),
    /// The file has it here; it isn't changed there.
    Stored(u64),
}

/// A node in memory. A leaf has no children; an inner node has one for each key, the least that it may hold. What is
/// less than the first key is in the first child too.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) level: u8,
    pub(crate) entries: Vec<u8>,
    pub(crate) children: Vec<Node>,
    /// Of each entry of a leaf a number that isn't in the file, and is changed by those that share the tree.
    pub(crate) marks: Vec<AtomicI64>,
}

impl Node {
    pub(crate) fn leaf() -> Self {
        Self { place: Place::Dirty, level: 0, entries: Vec::new(), children: Vec::new(), marks: Vec::new() }
    }

    pub(crate) fn len(&self, layout: Layout) -> usize {
        self.entries.len() / layout.stride(self.level)
    }

    pub(crate) fn key(&self, layout: Layout, index: usize) -> &[u8] {
        layout.key_at(&self.entries, self.level, index)
    }

    pub(crate) fn entry(&self, layout: Layout, index: usize) -> Option<&[u8]> {
        let stride = layout.stride(self.level);
        self.entries.get(index * stride..(index + 1) * stride)
    }

    /// The first entry whose key isn't less.
    pub(crate) fn lower_bound(&self, layout: Layout, key: &[u8]) -> usize {
        lower_bound(self.len(layout), key, |index| self.key(layout, index))
    }

    /// The child that has the key, if one has it.
    pub(crate) fn child_of(&self, layout: Layout, key: &[u8]) -> usize {
        child_of(self.len(layout), key, |index| self.key(layout, index))
    }

    /// The node as it is in a file. Its children have their places.
    pub(crate) fn page(&self, layout: Layout, commit: u64, address: u64, is_root: bool) -> Vec<u8> {
        let mut page = Vec::with_capacity(PAGE);
        page.extend_from_slice(MAGIC);
        page.extend([layout.kind, self.level]);
        page.extend(u16::try_from(self.len(layout)).unwrap_or(u16::MAX).to_le_bytes());
        page.extend(if is_root { ROOT } else { 0 }.to_le_bytes());
        page.extend(commit.to_le_bytes());
        page.extend(address.to_le_bytes());
        page.extend([0; 8]);
        if self.level == 0 {
            page.extend_from_slice(&self.entries);
        } else {
            for (index, child) in self.children.iter().enumerate() {
                page.extend_from_slice(self.key(layout, index));
                let (Place::Placed(child) | Place::Stored(child)) = child.place else { continue };
                page.extend(child.to_le_bytes());
            }
        }
        page.resize(PAGE, 0);
        let sum = checksum(&page);
        page[28..HEADER].copy_from_slice(&sum.to_le_bytes());
        page
    }
}

fn lower_bound<'a>(count: usize, key: &[u8], key_at: impl Fn(usize) -> &'a [u8]) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = usize::midpoint(low, high);
        if key_at(middle) < key {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn child_of<'a>(count: usize, key: &[u8], key_at: impl Fn(usize) -> &'a [u8]) -> usize {
    let at = lower_bound(count, key, &key_at);
    if at < count && key_at(at) == key { at } else { at.saturating_sub(1) }
}

fn checksum(page: &[u8]) -> u32 {
    let (head, rest) = page.split_at(28.min(page.len()));
    crate::checksum::crc32c_append(crate::checksum::crc32c(head), rest.get(4..).unwrap_or_default())
}

/// What a page must be, besides whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) address: u64,
    /// The level, if it isn't the root.
    pub(crate) level: Option<u8>,
    /// The commit that it may be of at most; exactly, if it is a root.
    pub(crate) commit: Option<u64>,
}

/// A page that was read and compared with its checksum.
#[derive(Debug)]
pub(crate) struct Page {
    bytes: [u8; PAGE],
    layout: Layout,
    pub(crate) level: u8,
    pub(crate) count: usize,
    pub(crate) commit: u64,
}

impl Page {
    /// Reads the page at an address.
    ///
    /// # Errors
    /// `Corrupt` when it isn't what is expected there.
    pub(crate) fn read(file: &dyn StorageFile, layout: Layout, expected: Expected) -> Result<Self> {
        let corrupt = |message| Error::new(ErrorKind::Corrupt, message).with("address", expected.address);
        let mut bytes = [0; PAGE];
        let read = file
            .read_at(&mut bytes, expected.address)
            .map_err(|error| Error::from_io(error, "a node can't be read"))?;
        if read < PAGE {
            return Err(corrupt("the file ends within a node"));
        }
        if u32_at(&bytes, 28) != checksum(&bytes) {
            return Err(corrupt("a node's checksum is wrong"));
        }
        let (level, count, commit) = (bytes[3], usize::from(u16_at(&bytes, 4)), u64_at(&bytes, 8));
        let is_root = match u16_at(&bytes, 6) {
            0 => false,
            ROOT => true,
            _ => return Err(corrupt("a node has flags that aren't known")),
        };
        let right_commit = match (expected.commit, is_root) {
            (None, _) => true,
            (Some(of_root), true) => commit == of_root,
            (Some(of_root), false) => commit <= of_root,
        };
        if bytes[..2] != *MAGIC
            || bytes[2] != layout.kind
            || u64_at(&bytes, 16) != expected.address
            || u64_at(&bytes, 24) & 0xffff_ffff != 0
            || level >= MOST_LEVELS
            || expected.level.is_some_and(|expected| expected != level)
            || expected.level.is_none() != is_root
            || !right_commit
        {
            return Err(corrupt("a node isn't the one that belongs here"));
        }
        if count > layout.capacity(level) || (count == 0 && !(is_root && level == 0)) {
            return Err(corrupt("a node has a number of entries that it can't have"));
        }
        Ok(Self { bytes, layout, level, count, commit })
    }

    pub(crate) fn key(&self, index: usize) -> &[u8] {
        let at = HEADER + index * self.layout.page_stride(self.level);
        &self.bytes[at..at + self.layout.key]
    }

    /// The value of a leaf's entry.
    pub(crate) fn value(&self, index: usize) -> &[u8] {
        let at = HEADER + index * self.layout.page_stride(0) + self.layout.key;
        &self.bytes[at..at + self.layout.value]
    }

    /// The address of an inner node's child.
    pub(crate) fn child(&self, index: usize) -> u64 {
        u64_at(&self.bytes, HEADER + index * self.layout.page_stride(self.level) + self.layout.key)
    }

    /// Whether keys are in order, and within bounds.
    pub(crate) fn keys_are_within(&self, low: Option<&[u8]>, high: Option<&[u8]>) -> bool {
        let keys = || (0..self.count).map(|index| self.key(index));
        keys().zip(keys().skip(1)).all(|(key, next)| key < next)
            && keys().all(|key| low.is_none_or(|low| low <= key) && high.is_none_or(|high| key < high))
    }

    /// The first entry whose key isn't less.
    pub(crate) fn lower_bound(&self, key: &[u8]) -> usize {
        lower_bound(self.count, key, |index| self.key(index))
    }

    /// The child that has the key, if one has it.
    pub(crate) fn child_of(&self, key: &[u8]) -> usize {
        child_of(self.count, key, |index| self.key(index))
    }

    /// The node in memory, without its children.
    pub(crate) fn node(&self, address: u64) -> Node {
        let mut entries = Vec::with_capacity(self.count * self.layout.stride(self.level));
        for index in 0..self.count {
            entries.extend_from_slice(self.key(index));
            if self.level == 0 {
                entries.extend_from_slice(self.value(index));
            }
        }
        let marks = if self.level == 0 && self.layout.marks { self.count } else { 0 };
        let marks = (0..marks).map(|_| AtomicI64::new(NO_MARK)).collect();
        Node { place: Place::Stored(address), level: self.level, entries, children: Vec::new(), marks }
    }
}

/// Whether a node can be at an address.
pub(crate) fn can_be_at(address: u64, data_start: u64, length: u64) -> bool {
    address >= data_start
        && (address - data_start).is_multiple_of(crate::space::GRAIN)
        && address.checked_add(wide(PAGE)).is_some_and(|end| end <= length)
}
