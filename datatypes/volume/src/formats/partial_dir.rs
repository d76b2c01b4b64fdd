//! A folder that gets its name when it is complete.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use engine_api::{Error, ErrorKind, Result};

/// A folder under a temporary name beside its target, which several writers fill: renamed when the last of
/// them has finished, removed when it is dropped before.
#[derive(Debug)]
pub(super) struct PartialDir {
    path: PathBuf,
    target: PathBuf,
    unfinished: AtomicUsize,
}

impl PartialDir {
    /// A folder for a number of writers.
    ///
    /// # Errors
    /// `AlreadyExists` when the target is anything but an empty folder: what is in a folder may be somebody
    /// else's, so that none is replaced.
    pub(super) fn create(target: &Path, writers: usize) -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = target
            .file_name()
            .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "the path names no folder"))?;
        match fs::read_dir(target) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(exists());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(exists()),
            Err(error) => return Err(Error::from_io(error, "the folder can't be created")),
        }
        let mut partial = OsString::from(".");
        partial.push(name);
        partial.push(format!(".{}-{}.partial", process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let path = target.with_file_name(partial);
        fs::create_dir(&path).map_err(|error| Error::from_io(error, "the folder can't be created"))?;
        Ok(Self { path, target: target.to_owned(), unfinished: AtomicUsize::new(writers) })
    }

    /// Where files go until the folder is complete.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file whole, and makes the folders that it is in.
    pub(super) fn write(&self, name: &Path, data: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        let created = match (File::create_new(&path), path.parent()) {
            (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(parent).and_then(|()| File::create_new(&path))
            }
            (created, _) => created,
        };
        created.and_then(|mut file| file.write_all(data)).map_err(|error| {
            Error::from_io(error, "a file of the image can't be written").with("file", name.display())
        })
    }

    /// Says that one of the writers has finished; the last one completes the folder.
    pub(super) fn finish_one(&self) -> Result<()> {
        if self.unfinished.fetch_sub(1, Ordering::AcqRel) != 1 {
            return Ok(());
        }
        let failed = |error| Error::from_io(error, "the folder can't be completed");
        sync_tree(&self.path).map_err(failed)?;
        fs::rename(&self.path, &self.target).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::AlreadyExists => exists().caused_by(error),
            _ => failed(error),
        })
    }
}

impl Drop for PartialDir {
    fn drop(&mut self) {
        // Once it is renamed there is nothing under this name. Otherwise nobody is left to tell, and the name
        // says that the folder is incomplete.
        fs::remove_dir_all(&self.path).ok();
    }
}

fn exists() -> Error {
    Error::new(ErrorKind::AlreadyExists, "there is something of this name, and a folder is never replaced")
}

/// Makes all files and folders durable, the names in a folder after what they name.
fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
