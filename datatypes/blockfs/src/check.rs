//! Files in memory, looked at by themselves: for tools that have no volume around them, and for fuzzers.

use engine_api::Result;

use crate::head::Head;
use crate::io::wide;
use crate::records::{RECORD_BYTES, Record};

/// What a directory file says, by its bytes alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryContents {
    /// The number of entries that a block can have.
    pub entries: u64,
    /// Those that say where a block is.
    pub written: u64,
    /// Those that can't be right.
    pub damaged: u64,
    /// The bytes of the head as they are written again; those that were read, unless somebody else than Python wrote
    /// them.
    pub head: Vec<u8>,
}

/// Looks at the bytes of a directory file: its head, its seal, and all entries that are there.
///
/// # Errors
/// As [`BlockFs::open`](crate::BlockFs::open), but for what other files there are.
pub fn check_directory(file: &[u8]) -> Result<DirectoryContents> {
    let mut head = Head::from_bytes(file)?;
    let table = head.table;
    let mut contents = DirectoryContents { entries: table.blocks, written: 0, damaged: 0, head: Vec::new() };
    let entries = usize::try_from(table.start).ok().and_then(|start| file.get(start..)).unwrap_or_default();
    for (index, entry) in entries.chunks(table.entry_bytes).enumerate() {
        if wide(index) >= table.blocks {
            break;
        }
        match table.decode(entry) {
            Ok(None) => {}
            Ok(Some(_)) => contents.written += 1,
            Err(_) => contents.damaged += 1,
        }
    }
    contents.head = head.bytes()?;
    Ok(contents)
}

/// Looks at the bytes of a file of records behind its header, the records of the blocks from number 0 on; answers how
/// many were committed.
///
/// # Errors
/// `Corrupt` names the first that is damaged.
pub fn check_records(records: &[u8]) -> Result<u64> {
    let mut committed = 0;
    for (index, bytes) in records.chunks(RECORD_BYTES).enumerate() {
        // The file ends with what was written of its last record.
        let mut record = [0; RECORD_BYTES];
        record[..bytes.len()].copy_from_slice(bytes);
        let record = Record::decode(&record, wide(index))?;
        committed += u64::from(record.committed.is_some_and(|commit| !commit.deleted));
    }
    Ok(committed)
}
