//! Compaction: the blocks that count in new files, and the old ones given back.
//!
//! The new directory file takes the old one's name when all else is on the disk; that is the moment at which the volume is
//! the new one. The list of all files is written before, so that whoever compacts after a kill knows what it left.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use engine_api::embedded::{Lock, NewFile, absolute, beside, folder_of, read_at, sync_folder, write_all_at};
use engine_api::{Error, ErrorKind, Result};
use uuid::Uuid;

use crate::blosc::{FrameHeader, HEADER_BYTES, decode};
use crate::create::{create_records, new_seal};
use crate::frames::read_frame;
use crate::head::Head;
use crate::io::wide;
use crate::opened::{Opened, Place};
use crate::progress::{Progress, Stage, Watch};
use crate::records::{Commit, Records};
use crate::relocate::{failed, remove, utf8};
use crate::table::Extent;

/// The most bytes of the list of a compaction's files.
const MOST_LIST: u64 = 64 << 20;

/// What a compaction has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// The lengths of all block files before.
    pub before: u64,
    /// And after.
    pub after: u64,
    /// The blocks that were copied.
    pub blocks: u64,
    /// Files that an earlier compaction has left when it was killed, and that aren't named after the volume, so that
    /// they weren't removed.
    pub left: Vec<PathBuf>,
}

/// Copies the blocks that count to new block files, and removes the old ones: what was rewritten or deleted, and the holes
/// of writers that died, take no room any more, and offsets begin at zero again.
///
/// Readers go on, without opening anything. A process that is killed leaves the volume as it was or as it is to be, and the
/// next compaction removes what it left. Every frame is compared with its checksum, or decoded where it has none, and
/// has a checksum after it.
///
/// # Errors
/// `Locked` while there are writers; `Corrupt` for a damaged block, which [`verify`](crate::BlockFs::verify) finds and
/// [`delete_block`](crate::BlockWriter::delete_block) removes. Nothing is changed then.
pub fn compact(path: impl AsRef<Path>, watch: &mut Watch<'_>) -> Result<Compacted> {
    let path = absolute(path.as_ref())?;
    let (opened, lock) = Opened::open_alone(&path)?;
    let mut result = Compacted { left: sweep(&opened, &path)?, ..Compacted::default() };
    let old: Vec<PathBuf> =
        (0..opened.head.names.len()).map(|file| opened.block_path(file)).collect::<Result<_>>()?;
    for (number, path) in old.iter().enumerate() {
        result.before += check_is_block_file(opened.block_file(number)?, path)?;
    }
    let work = Work::new(&opened, &path, &old)?;
    let list = list_path(&path);
    write_list(&list, &work.all_files(&opened, &old))?;
    let made = work.run(&opened, &path, &mut result, watch);
    if made.is_err() {
        // The directory file may be the new one although its folder couldn't be forced to the disk.
        if !opened.is_replaced(&path) {
            work.new.iter().chain(&work.records).try_for_each(|file| remove(file))?;
            remove(&list)?;
        }
        return made.map(|()| result);
    }
    old.iter().try_for_each(|file| remove(file))?;
    if let Some(seal) = &opened.head.seal {
        remove(&opened.folder.join(&seal.records))?;
    }
    remove(&list)?;
    drop::<Lock>(lock);
    Ok(result)
}

/// The files that a compaction makes.
struct Work {
    head: Head,
    new: Vec<PathBuf>,
    records: Option<PathBuf>,
}

impl Work {
    fn new(opened: &Opened, path: &Path, old: &[PathBuf]) -> Result<Self> {
        let mut head = opened.head.clone();
        let unique = Uuid::new_v4().simple().to_string();
        let unique = unique.get(..8).unwrap_or(&unique);
        let directory = path.file_name().map(Path::new).map(utf8).transpose()?.unwrap_or("blockfs");
        let (mut new, mut names) = (Vec::new(), Vec::new());
        for (number, (old, name)) in old.iter().zip(&opened.head.names).enumerate() {
            let file = format!("{directory}.{unique}.{number}");
            new.push(old.with_file_name(&file));
            // A name stays relative where it was.
            names.push(utf8(&Path::new(name).with_file_name(&file))?.to_owned());
        }
        head.rename(names);
        let mut records = None;
        if head.seal.is_some() {
            let seal = new_seal(path)?;
            records = Some(opened.folder.join(&seal.records));
            head.seal = Some(seal);
        }
        Ok(Self { head, new, records })
    }

    fn all_files(&self, opened: &Opened, old: &[PathBuf]) -> Vec<PathBuf> {
        let old_records = opened.head.seal.as_ref().map(|seal| opened.folder.join(&seal.records));
        old.iter().chain(&old_records).chain(&self.new).chain(&self.records).cloned().collect()
    }

    fn run(&self, opened: &Opened, path: &Path, result: &mut Compacted, watch: &mut Watch<'_>) -> Result<()> {
        let mut head = self.head.clone();
        let directory = NewFile::create(path, ".blockfs-")?;
        let directory_file = directory.open()?;
        let bytes = head.bytes()?;
        write_all_at(&directory_file, &bytes, 0)
            .map_err(|error| failed(error, "the directory file can't be written", path))?;
        let records = match (&self.records, &head.seal) {
            (Some(path), Some(seal)) => Some(Records::new(
                create_records(path, seal, head.table.blocks)?,
                seal.id,
                head.table.blocks,
            )?),
            _ => None,
        };
        let files = self
            .new
            .iter()
            .map(|path| {
                let file = OpenOptions::new().write(true).create_new(true).open(path);
                file.map_err(|error| failed(error, "a block file can't be created", path))
            })
            .collect::<Result<Vec<File>>>()?;
        let mut ends = vec![0; files.len()];
        let mut frame = Vec::new();
        let mut voxels = Vec::new();
        let blocks = head.grid.chunks_in(&head.grid.bounds())?;
        let total = head.grid.chunk_count();
        for (done, block) in blocks.enumerate() {
            if done % 256 == 0 {
                watch(Progress { stage: Stage::Blocks, done: wide(done), total })?;
            }
            let index = head.index(&block)?;
            let mut copy = || -> Result<()> {
                let Some(sum) = self.fetch(opened, index, &block, &mut frame, &mut voxels)? else {
                    if opened.place(index)? == Place::Begun
                        && let Some(records) = &records
                    {
                        // It is lost, and stays so.
                        records.begin(index, Some(Extent { offset: 0, size: 0 }))?;
                    }
                    return Ok(());
                };
                let number = head.file_of(index);
                let (Some(file), Some(end)) = (files.get(number), ends.get_mut(number)) else {
                    return Err(Error::new(ErrorKind::Internal, "there is no such block file"));
                };
                let size = u32::try_from(frame.len())
                    .map_err(|_| Error::new(ErrorKind::Internal, "a frame is too long"))?;
                let extent = Extent { offset: *end, size };
                write_all_at(file, &frame, *end)
                    .map_err(|error| Error::from_io(error, "a block can't be written"))?;
                *end += u64::from(size);
                if let Some(records) = &records {
                    records.commit(index, &Commit { extent, sum, deleted: false })?;
                }
                head.table.write(&directory_file, index, Some(extent))?;
                result.blocks += 1;
                Ok(())
            };
            copy().map_err(|error| error.with("block", block))?;
        }
        watch(Progress { stage: Stage::Blocks, done: total, total })?;
        result.after = ends.iter().sum();
        let synced = |error| failed(error, "the compacted volume can't be forced to the disk", path);
        let records = records.as_ref().map(Records::file);
        for file in files.iter().chain(records).chain([&directory_file]) {
            file.sync_all().map_err(synced)?;
        }
        let folders: BTreeSet<&Path> = self.new.iter().map(|path| folder_of(path)).collect();
        folders.into_iter().chain([folder_of(path)]).try_for_each(sync_folder).map_err(synced)?;
        directory.replace()
    }

    /// The frame of a block and its checksum, where it has one.
    fn fetch(
        &self,
        opened: &Opened,
        index: u64,
        block: &chunks::Coords,
        frame: &mut Vec<u8>,
        voxels: &mut Vec<u8>,
    ) -> Result<Option<u32>> {
        let bytes = self.head.block_bytes(block)?;
        let mut checked = |extent, sum| read_frame(opened, index, extent, sum, bytes, frame);
        match opened.place(index)? {
            Place::Missing | Place::Begun => return Ok(None),
            Place::Committed(commit) => checked(commit.extent, Some(commit.sum))?,
            Place::Unchecked { extent, otherwise } => {
                voxels.resize(bytes, 0);
                let read = checked(extent, None);
                match (read.and_then(|()| decode(frame, voxels)), otherwise) {
                    (Ok(()), _) => {}
                    (Err(error), Some(commit)) if error.kind() == ErrorKind::Corrupt && !commit.deleted => {
                        read_frame(opened, index, commit.extent, Some(commit.sum), bytes, frame)?;
                    }
                    (Err(error), _) => return Err(error),
                }
            }
        }
        Ok(Some(crc32c::crc32c(frame)))
    }
}

/// The length of a block file. A head can name any file; one that doesn't begin as a block file does isn't removed.
fn check_is_block_file(file: &File, path: &Path) -> Result<u64> {
    let read_failed = |error| failed(error, "a block file can't be read", path);
    let length = file.metadata().map_err(read_failed)?.len();
    let mut start = [0; HEADER_BYTES];
    let read = read_at(file, &mut start, 0).map_err(read_failed)?;
    if length == 0 || start == [0; HEADER_BYTES] || FrameHeader::read(&start[..read]).is_ok() {
        return Ok(length);
    }
    Err(Error::new(ErrorKind::Corrupt, "a file that the volume names as a block file isn't one")
        .with("path", path.display()))
}

fn list_path(path: &Path) -> PathBuf {
    beside(path, ".compacting")
}

fn write_list(list: &Path, files: &[PathBuf]) -> Result<()> {
    let mut lines = String::new();
    for file in files {
        lines.push_str(utf8(file)?);
        lines.push('\0');
    }
    let new = NewFile::create(list, ".blockfs-")?;
    let file = new.open()?;
    write_all_at(&file, lines.as_bytes(), 0)
        .and_then(|()| file.sync_all())
        .map_err(|error| failed(error, "the list of files can't be written", list))?;
    new.replace()
}

/// Removes what a compaction that was killed has left: those of its files that the volume doesn't name. Answers those that
/// aren't named after the volume, which a list that somebody has forged could name; they stay.
fn sweep(opened: &Opened, path: &Path) -> Result<Vec<PathBuf>> {
    let list = list_path(path);
    match fs::metadata(&list) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Ok(found) if found.len() <= MOST_LIST => {}
        Ok(found) => {
            return Err(
                Error::new(ErrorKind::TooLarge, "the list of files is too long").with("bytes", found.len())
            );
        }
        Err(error) => return Err(failed(error, "the list of files can't be read", &list)),
    }
    let lines =
        fs::read_to_string(&list).map_err(|error| failed(error, "the list of files can't be read", &list))?;
    let mut named: BTreeSet<PathBuf> =
        (0..opened.head.names.len()).map(|file| opened.block_path(file)).collect::<Result<_>>()?;
    named.extend(opened.head.seal.as_ref().map(|seal| opened.folder.join(&seal.records)));
    let prefix = format!("{}.", path.file_name().map(Path::new).map(utf8).transpose()?.unwrap_or_default());
    let mut left = Vec::new();
    for file in lines.split_terminator('\0').map(PathBuf::from) {
        if named.contains(&file) || !file.exists() {
            continue;
        }
        let ours =
            file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&prefix));
        if ours {
            remove(&file)?;
        } else {
            left.push(file);
        }
    }
    remove(&list)?;
    Ok(left)
}
