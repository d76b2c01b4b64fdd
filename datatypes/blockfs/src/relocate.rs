//! Volumes that go elsewhere: their files, and the names that the head has of these.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use engine_api::embedded::{Lock, NewFile, absolute, folder_of, read_at, sync_folder, write_all_at};
use engine_api::{Error, ErrorKind, Result};

use crate::head::Head;
use crate::io::{narrow, wide};
use crate::opened::{Opened, block_file_failed};
use crate::progress::{Progress, Stage, Watch};

/// What is copied at a time.
const PIECE: usize = 4 << 20;

/// Whether a volume stays where it is, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relocation {
    /// It does.
    Copy,
    /// It doesn't.
    Move,
}

/// Copies or moves a volume, all its files, to a folder, which is made where there is none, and answers where its
/// directory file is then.
///
/// Widths of entries, strides and metadata stay as they are. The directory file gets its name last: a process that is
/// killed before leaves the volume where it was, and one that is killed after leaves it in both places.
///
/// # Errors
/// `Locked` while there are writers; `AlreadyExists` when a file of the same name is there; nothing is changed then.
pub fn relocate(
    path: impl AsRef<Path>,
    folder: impl AsRef<Path>,
    how: Relocation,
    watch: &mut Watch<'_>,
) -> Result<PathBuf> {
    let path = absolute(path.as_ref())?;
    let folder = absolute(folder.as_ref())?;
    let (opened, lock) = Opened::open_alone(&path)?;
    let file_name = path.file_name().ok_or_else(|| {
        Error::new(ErrorKind::InvalidArgument, "the path doesn't name a file").with("path", path.display())
    })?;
    let target = folder.join(file_name);
    if !folder.is_dir() {
        fs::create_dir(&folder)
            .and_then(|()| sync_folder(folder_of(&folder)))
            .map_err(|error| failed(error, "the folder can't be created", &folder))?;
    }
    if target.exists() {
        return Err(Error::new(ErrorKind::AlreadyExists, "there is a file of this name")
            .with("path", target.display()));
    }
    let mut files = Vec::new();
    let mut names = Vec::new();
    for (number, to) in block_names(&opened.head, &target)?.into_iter().enumerate() {
        let to = folder.join(to);
        names.push(utf8(&to)?.to_owned());
        files.push((opened.block_path(number)?, to));
    }
    if let Some(seal) = &opened.head.seal {
        files.push((opened.folder.join(&seal.records), folder.join(&seal.records)));
    }
    let mut made = Made::default();
    let mut bytes = Bytes::new(&files)?;
    for (from, to) in &files {
        if how == Relocation::Move && link(from, to)? {
            made.0.push(to.clone());
            bytes.skip(from, watch)?;
        } else {
            bytes.copy(from, to, &mut made, watch)?;
        }
    }
    write_directory(&opened, opened.head.clone(), names, &target, NewFile::give_name)?;
    made.0.clear();
    if how == Relocation::Move {
        // The old name goes first: without it the other files are only bytes.
        remove(&path)?;
        files.iter().try_for_each(|(from, _)| remove(from))?;
    }
    drop::<Lock>(lock);
    Ok(target)
}

/// Gives the head of a volume the names that its block files have in the folder of the directory file, where somebody has
/// put them all.
///
/// # Errors
/// `Locked` while there are writers; `NotFound` when a block file isn't there. Nothing is changed then.
pub fn rebase(path: impl AsRef<Path>) -> Result<()> {
    let path = absolute(path.as_ref())?;
    let (opened, lock) = Opened::open_alone(&path)?;
    let mut names = Vec::new();
    for name in &opened.head.names {
        let found = Path::new(name).file_name().map(|name| opened.folder.join(name)).unwrap_or_default();
        if !found.is_file() {
            return Err(Error::new(ErrorKind::NotFound, "a block file isn't beside the directory file")
                .with("path", found.display()));
        }
        names.push(utf8(&found)?.to_owned());
    }
    let distinct: BTreeSet<&String> = names.iter().collect();
    if distinct.len() < names.len() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "two block files have one name in different folders",
        ));
    }
    write_directory(&opened, opened.head.clone(), names, &path, NewFile::replace)?;
    drop::<Lock>(lock);
    Ok(())
}

/// Writes a directory file with other names of block files and the same table, and gives it its name.
fn write_directory(
    opened: &Opened,
    mut head: Head,
    names: Vec<String>,
    target: &Path,
    give_name: impl FnOnce(NewFile) -> Result<()>,
) -> Result<()> {
    head.rename(names);
    let new = NewFile::create(target, ".blockfs-")?;
    let file = new.open()?;
    let bytes = head.bytes()?;
    write_all_at(&file, &bytes, 0)
        .map_err(|error| failed(error, "the directory file can't be written", target))?;
    let (from, to) = (opened.head.table.start, head.table.start);
    let length = file_length(&opened.directory, target)?.saturating_sub(from);
    let mut piece = vec![0; narrow(length.min(wide(PIECE)))?];
    let mut done = 0;
    while done < length {
        let read = read_at(&opened.directory, &mut piece, from + done)
            .map_err(|error| failed(error, "the table can't be read", target))?;
        if read == 0 {
            break;
        }
        // What is a hole stays one.
        if piece[..read].iter().any(|byte| *byte != 0) {
            write_all_at(&file, &piece[..read], to + done)
                .map_err(|error| failed(error, "the table can't be written", target))?;
        }
        done += wide(read);
    }
    file.set_len(to + length)
        .and_then(|()| file.sync_all())
        .map_err(|error| failed(error, "the directory file can't be written", target))?;
    give_name(new)
}

/// The names that the block files get beside `target`: their own, or numbers where two have the same.
fn block_names(head: &Head, target: &Path) -> Result<Vec<PathBuf>> {
    let own: Vec<PathBuf> = head
        .names
        .iter()
        .map(|name| Path::new(name).file_name().map(PathBuf::from).unwrap_or_default())
        .collect();
    let distinct: BTreeSet<&PathBuf> = own.iter().collect();
    let directory = target.file_name().map(PathBuf::from).unwrap_or_default();
    if distinct.len() == own.len() && !distinct.contains(&directory) {
        return Ok(own);
    }
    let directory = utf8(&directory)?;
    Ok((0..own.len()).map(|number| format!("{directory}.{number}").into()).collect())
}

/// Gives a file a second name; answers that it can't where the file system can't, as from one disk to another.
fn link(from: &Path, to: &Path) -> Result<bool> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(failed(error, "there is a file of this name", to))
        }
        Err(_) => Ok(false),
    }
}

/// Files that were made and are removed again unless all goes well.
#[derive(Default)]
pub(crate) struct Made(pub(crate) Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            // Whatever made this necessary is told already.
            drop(fs::remove_file(path));
        }
    }
}

/// Counts the bytes that are copied.
struct Bytes {
    done: u64,
    total: u64,
}

impl Bytes {
    fn new(files: &[(PathBuf, PathBuf)]) -> Result<Self> {
        let mut total = 0;
        for (from, to) in files {
            total += fs::metadata(from).map_err(|error| block_file_failed(error, from))?.len();
            if to.exists() {
                return Err(Error::new(ErrorKind::AlreadyExists, "there is a file of this name")
                    .with("path", to.display()));
            }
        }
        Ok(Self { done: 0, total })
    }

    fn tell(&self, watch: &mut Watch<'_>) -> Result<()> {
        watch(Progress { stage: Stage::Bytes, done: self.done, total: self.total })
    }

    fn skip(&mut self, from: &Path, watch: &mut Watch<'_>) -> Result<()> {
        self.done += fs::metadata(from).map_err(|error| block_file_failed(error, from))?.len();
        self.tell(watch)
    }

    /// Copies a file, for good but for its name.
    fn copy(&mut self, from: &Path, to: &Path, made: &mut Made, watch: &mut Watch<'_>) -> Result<()> {
        let source = File::open(from).map_err(|error| block_file_failed(error, from))?;
        let length = file_length(&source, from)?;
        let target = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(to)
            .map_err(|error| failed(error, "a file can't be created", to))?;
        made.0.push(to.to_owned());
        let mut piece = vec![0; narrow(length.min(wide(PIECE)))?];
        let mut at = 0;
        loop {
            self.tell(watch)?;
            let read = read_at(&source, &mut piece, at)
                .map_err(|error| failed(error, "a file can't be read", from))?;
            if read == 0 {
                break;
            }
            if piece[..read].iter().any(|byte| *byte != 0) {
                write_all_at(&target, &piece[..read], at)
                    .map_err(|error| failed(error, "a file can't be written", to))?;
            }
            at += wide(read);
            self.done += wide(read);
        }
        target
            .set_len(at)
            .and_then(|()| target.sync_all())
            .map_err(|error| failed(error, "a file can't be written", to))
    }
}

pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|error| failed(error, "a file can't be removed", path)),
    }
}

pub(crate) fn utf8(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidArgument,
            "the path isn't UTF-8, so it can't be the name of a block file",
        )
        .with("path", path.display())
    })
}

fn file_length(file: &File, path: &Path) -> Result<u64> {
    Ok(file.metadata().map_err(|error| failed(error, "a file can't be looked at", path))?.len())
}

pub(crate) fn failed(error: io::Error, message: &'static str, path: &Path) -> Error {
    Error::from_io(error, message).with("path", path.display())
}
