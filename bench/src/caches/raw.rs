//! A file of entries of one length, one after another, read by `pread`: what no cache can be much faster than.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::path::Path;

use dataset_cache::{DiskFile, StorageFile};

use super::side::{Contents, Reader, Side};
use crate::Outcome;

#[derive(Debug)]
pub(super) struct Raw {
    file: DiskFile,
    bytes: usize,
    /// Compared after each read, as a cache compares them.
    checksums: Option<Vec<u32>>,
}

impl Raw {
    pub(super) fn create(path: &Path, bytes: usize, checked: bool) -> Outcome<Self> {
        let mut options = OpenOptions::new();
        let file: File = options.read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Self { file: DiskFile::new(file, false)?, bytes, checksums: checked.then(Vec::new) })
    }

    fn place(&self, number: u64) -> Outcome<u64> {
        Ok(number * u64::try_from(self.bytes)?)
    }
}

impl Side for Raw {
    fn name(&self) -> &'static str {
        if self.checksums.is_some() { "pread and CRC-32C" } else { "pread" }
    }

    fn reader(&self) -> Outcome<Box<dyn Reader + '_>> {
        Ok(Box::new(self))
    }

    fn put(&mut self, numbers: Range<u64>, contents: &mut Contents) -> Outcome {
        for number in numbers {
            let data = contents.of(number);
            self.file.write_at(data, self.place(number)?)?;
            if let Some(checksums) = &mut self.checksums {
                checksums.push(crc_fast::crc32_iscsi(data));
            }
        }
        Ok(self.file.sync()?)
    }

    fn file_bytes(&self) -> Outcome<u64> {
        Ok(self.file.length()?)
    }
}

impl Reader for &Raw {
    fn read(&mut self, number: u64, out: &mut [u8]) -> Outcome<bool> {
        let whole = self.file.read_at(out, self.place(number)?)? == out.len();
        let Some(checksums) = &self.checksums else { return Ok(whole) };
        Ok(whole && checksums.get(usize::try_from(number)?) == Some(&crc_fast::crc32_iscsi(out)))
    }
}
