//! A file as memory. What is unsafe is here and in what it copies with.
#![allow(
    unsafe_code,
    reason = "memory that is a file can't be borrowed: another process may change it at any time"
)]

mod copy;

use std::fs::File;
use std::io;
use std::ptr;

use memmap2::{MmapOptions, MmapRaw};

/// The first bytes of a file as memory. It may be longer than the file, so that the file can grow beneath it.
#[derive(Debug)]
pub(crate) struct Map(MmapRaw);

impl Map {
    pub(crate) fn new(file: &File, length: usize) -> io::Result<Self> {
        MmapOptions::new().len(length).map_raw_read_only(file).map(Self)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Copies what is at a place; answers false where the map ends before.
    ///
    /// The caller has made sure that the file isn't shorter, here and below. Where another process cuts it off at that moment, which
    /// the file's lock forbids, the operating system ends this one (`SIGBUS`).
    #[must_use]
    pub(crate) fn copy(&self, at: usize, out: &mut [u8]) -> bool {
        let Some(source) = self.source(at, out.len()) else { return false };
        // SAFETY: The source is within the map, which lives as long as `self`; `out` is borrowed exclusively, and
        // is other memory. No reference to mapped memory is ever made, so nothing is assumed about who
        // changes it; bytes that are changed meanwhile are any bytes, and their checksum is compared behind this.
        unsafe { ptr::copy_nonoverlapping(source, out.as_mut_ptr(), out.len()) };
        true
    }

    /// Copies likewise, and answers the CRC-32C of what was copied, behind bytes whose CRC-32C is `sum`.
    pub(crate) fn copy_summed(&self, at: usize, out: &mut [u8], sum: u32) -> Option<u32> {
        let source = self.source(at, out.len())?;
        // SAFETY: As above. The checksum is of the bytes that are in `out`, whatever they were.
        Some(unsafe { copy::copy_summed(source, out, sum) })
    }

    /// Where a range is, if the map has all of it.
    fn source(&self, at: usize, bytes: usize) -> Option<*const u8> {
        at.checked_add(bytes).filter(|end| *end <= self.len())?;
        // SAFETY: It is within the map, or right behind it where the range is empty.
        Some(unsafe { self.0.as_ptr().add(at) })
    }
}
