//! The folders that zarrs reads and writes.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use chunks::zeroed;
use engine_api::embedded::read_exact_at;
use engine_api::{Error, ErrorKind, Result};
use zarrs::array::{ArrayError, CodecError};
use zarrs::storage::byte_range::{ByteRange, ByteRangeIterator};
use zarrs::storage::{
    Bytes, MaybeBytesIterator, OffsetBytesIterator, ReadableStorageTraits, StorageError, StoreKey,
    StorePrefix, WritableStorageTraits,
};

use super::corrupt;
use crate::formats::bytes::swap_elements;
use crate::formats::linear::read_failed;
use crate::formats::partial_dir::PartialDir;

type Stored<T> = std::result::Result<T, StorageError>;

/// The folder of an array that is read. What is read at once is in its file and of a length that the array can
/// have, before there is memory for it: where the chunks of a shard are is said by the shard.
pub(super) struct Folder {
    path: PathBuf,
    most: usize,
}

impl Folder {
    /// A folder of which `most` bytes are read at once.
    pub(super) fn new(path: &Path, most: usize) -> Self {
        Self { path: path.to_owned(), most }
    }

    fn open(&self, key: &StoreKey) -> Result<Option<(File, u64)>> {
        let name = Path::new(key.as_str());
        if !name.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(corrupt("a chunk isn't in the array's folder"));
        }
        match File::open(self.path.join(name)) {
            Ok(file) => {
                let length = file.metadata().map_err(read_failed)?.len();
                Ok(Some((file, length)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::from_io(error, "a chunk can't be opened")),
        }
    }

    fn read(&self, file: &File, length: u64, range: ByteRange) -> Result<Bytes> {
        let (start, bytes) = match range {
            ByteRange::FromStart(start, Some(bytes)) => (Some(start), bytes),
            ByteRange::FromStart(start, None) => (Some(start), length.saturating_sub(start)),
            ByteRange::Suffix(bytes) => (length.checked_sub(bytes), bytes),
        };
        let inside = start.filter(|start| start.checked_add(bytes).is_some_and(|end| end <= length));
        let Some(start) = inside else {
            return Err(corrupt("a part of a chunk's file lies outside of it")
                .with("bytes", bytes)
                .with("length", length));
        };
        let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= self.most);
        let mut data = zeroed(bytes.ok_or_else(|| corrupt("a chunk is longer than its shape says"))?)?;
        read_exact_at(file, &mut data, start).map_err(read_failed)?;
        Ok(data.into())
    }
}

impl ReadableStorageTraits for Folder {
    fn get_partial_many<'a>(
        &'a self,
        key: &StoreKey,
        ranges: ByteRangeIterator<'a>,
    ) -> Stored<MaybeBytesIterator<'a>> {
        let Some((file, length)) = self.open(key).map_err(io::Error::other)? else { return Ok(None) };
        let parts = ranges.map(move |range| Ok(self.read(&file, length, range).map_err(io::Error::other)?));
        Ok(Some(Box::new(parts)))
    }

    fn size_key(&self, key: &StoreKey) -> Stored<Option<u64>> {
        Ok(self.open(key).map_err(io::Error::other)?.map(|(_, length)| length))
    }

    fn supports_get_partial(&self) -> bool {
        true
    }
}

/// A folder that is new, in which each file is written once.
impl WritableStorageTraits for PartialDir {
    fn set(&self, key: &StoreKey, value: Bytes) -> Stored<()> {
        Ok(self.write(Path::new(key.as_str()), &value).map_err(io::Error::other)?)
    }

    fn set_partial_many(&self, _: &StoreKey, _: OffsetBytesIterator) -> Stored<()> {
        Err(StorageError::Unsupported("files are written whole".to_owned()))
    }

    /// A chunk without any element isn't there before.
    fn erase(&self, _: &StoreKey) -> Stored<()> {
        Ok(())
    }

    fn erase_prefix(&self, _: &StorePrefix) -> Stored<()> {
        Err(StorageError::Unsupported("what is written stays".to_owned()))
    }

    fn supports_set_partial(&self) -> bool {
        false
    }
}

/// What zarrs failed with: an error of a folder or a codec of ours as it was, and damage otherwise.
pub(super) fn failed(error: impl Into<ArrayError>) -> Error {
    let shared = match error.into() {
        ArrayError::StorageError(StorageError::IOError(error))
        | ArrayError::CodecError(
            CodecError::IOError(error) | CodecError::StorageError(StorageError::IOError(error)),
        ) => error,
        other => {
            return Error::new(ErrorKind::Corrupt, "a chunk of the Zarr can't be decoded").caused_by(other);
        }
    };
    let error = Arc::try_unwrap(shared).unwrap_or_else(|shared| io::Error::new(shared.kind(), shared));
    error.downcast::<Error>().unwrap_or_else(read_failed)
}

/// Elements in the order of an image's bytes, or back, from that of the machine's, in which zarrs has them.
pub(super) fn native_order(element_size: usize, data: &mut [u8]) {
    if cfg!(target_endian = "big") {
        swap_elements(element_size, data);
    }
}
