//! A file as memory: the one place with unsafe code.
#![allow(
    unsafe_code,
    reason = "memory that is a file can't be borrowed: another process may change it at any time"
)]

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
    /// The caller has made sure that the file isn't shorter. Where another process cuts it off at that moment, which
    /// the file's lock forbids, the operating system ends this one (`SIGBUS`).
    #[must_use]
    pub(crate) fn copy(&self, at: usize, out: &mut [u8]) -> bool {
        if at.checked_add(out.len()).is_none_or(|end| end > self.len()) {
            return false;
        }
        // SAFETY: The source is within the map, which lives as long as `self`; `out` is borrowed exclusively, and
        // is other memory. No reference to mapped memory is ever made, so nothing is assumed about who
        // changes it; bytes that are changed meanwhile are any bytes, and their checksum is compared behind this.
        unsafe { ptr::copy_nonoverlapping(self.0.as_ptr().add(at), out.as_mut_ptr(), out.len()) };
        true
    }
}
