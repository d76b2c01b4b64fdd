//! Stores that get their name once they are whole.
//!
//! A process that dies on the way leaves nothing that is half a store, and of two that create one, one fails.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempDir, TempPath};

use super::files::{folder_of, sync_folder};
use crate::spi::{Error, ErrorKind, Result};

/// An empty file in the folder in which it is to have its name, to be made a store there. It is removed
/// when it is dropped before it has got its name.
///
/// The file is closed: of some locks a process loses all when it closes a file once.
///
/// ```
/// use std::io::Write;
///
/// use engine_api::embedded::NewFile;
/// use engine_api::{Error, ErrorKind};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("store.tree");
/// let new = NewFile::create(&path, ".tree-")?;
/// new.open()?.write_all(b"tree 1").map_err(|error| Error::from_io(error, "the new file can't be written"))?;
/// assert!(!path.exists());
/// new.give_name()?;
/// assert_eq!(std::fs::read(&path).unwrap(), b"tree 1");
/// assert_eq!(NewFile::create(&path, ".tree-")?.give_name().unwrap_err().kind(), ErrorKind::AlreadyExists);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct NewFile {
    unnamed: TempPath,
    name: PathBuf,
}

impl NewFile {
    /// A file that `name` will name. What a process that dies leaves behind begins with `prefix`.
    ///
    /// # Errors
    /// `NotFound` and others name the folder, when no file can be created in it.
    pub fn create(name: &Path, prefix: &str) -> Result<Self> {
        let folder = folder_of(name);
        let unnamed = builder(prefix, 0o666).tempfile_in(folder).map_err(|error| {
            Error::from_io(error, "no file can be created in the folder").with("folder", folder.display())
        })?;
        Ok(Self { unnamed: unnamed.into_temp_path(), name: name.to_owned() })
    }

    /// Where the file is until it gets its name.
    pub fn path(&self) -> &Path {
        &self.unnamed
    }

    /// Opens the file for reading and writing.
    pub fn open(&self) -> Result<File> {
        let opened = OpenOptions::new().read(true).write(true).open(&self.unnamed);
        opened.map_err(|error| Error::from_io(error, "the new file can't be opened"))
    }

    /// Gives the file its name, for good: a power cut doesn't take it back. What is in the file is the
    /// caller's to make durable before.
    ///
    /// # Errors
    /// `AlreadyExists` when something else has the name; the new file is gone then.
    pub fn give_name(self) -> Result<()> {
        let named = self.unnamed.persist_noclobber(&self.name).map_err(|error| error.error);
        kept(named, &self.name)
    }

    /// Gives the file its name, in place of the file that has it.
    pub fn replace(self) -> Result<()> {
        let named = self.unnamed.persist(&self.name).map_err(|error| error.error);
        kept(named, &self.name)
    }
}

/// The same for a store that is a folder.
#[derive(Debug)]
pub struct NewFolder {
    unnamed: TempDir,
    name: PathBuf,
}

impl NewFolder {
    /// A folder that `name` will name. What a process that dies leaves behind begins with `prefix`.
    ///
    /// # Errors
    /// `NotFound` and others name the folder around it, when none can be created there.
    pub fn create(name: &Path, prefix: &str) -> Result<Self> {
        let parent = folder_of(name);
        let unnamed = builder(prefix, 0o777).tempdir_in(parent).map_err(|error| {
            Error::from_io(error, "no folder can be created in the folder").with("folder", parent.display())
        })?;
        Ok(Self { unnamed, name: name.to_owned() })
    }

    /// Where the folder is until it gets its name.
    pub fn path(&self) -> &Path {
        self.unnamed.path()
    }

    /// Gives the folder its name, for good, and the names in it too. What is in its files is the caller's to
    /// make durable before.
    ///
    /// # Errors
    /// `AlreadyExists` when something else has the name; the new folder is gone then.
    pub fn give_name(self) -> Result<()> {
        let named = sync_folder(self.path()).and_then(|()| fs::rename(self.path(), &self.name));
        if named.is_ok() {
            // It isn't there any more under the name by which it would be removed.
            drop(self.unnamed.keep());
        }
        let named = named.map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => {
                io::Error::new(io::ErrorKind::AlreadyExists, error)
            }
            _ => error,
        });
        kept(named, &self.name)
    }
}

/// Those that the user's own mask lets in may read and write, as with any other file.
fn builder(prefix: &str, mode: u32) -> Builder<'_, 'static> {
    let mut builder = Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

fn kept(named: io::Result<()>, name: &Path) -> Result<()> {
    named.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::new(ErrorKind::AlreadyExists, "there is something at the path already").caused_by(error)
        }
        _ => Error::from_io(error, "what is new can't be given its name"),
    })?;
    sync_folder(folder_of(name)).map_err(|error| Error::from_io(error, "the folder can't be made durable"))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    fn file(name: &Path, text: &str) -> Result<()> {
        let new = NewFile::create(name, ".new-")?;
        fs::write(new.path(), text).unwrap();
        new.give_name()
    }

    fn folder(name: &Path, text: &str) -> Result<()> {
        let new = NewFolder::create(name, ".new-")?;
        fs::write(new.path().join("marker"), text).unwrap();
        new.give_name()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn of_two_that_take_a_name_at_once_one_fails_and_leaves_nothing() {
        for create in [file, folder] {
            let around = tempfile::tempdir().unwrap();
            let name = around.path().join("store");
            for _ in 0..20 {
                let start = Barrier::new(2);
                let outcomes = thread::scope(|scope| {
                    ["one", "other"]
                        .map(|text| {
                            let (name, start) = (&name, &start);
                            scope.spawn(move || {
                                start.wait();
                                create(name, text)
                            })
                        })
                        .map(|creator| creator.join().unwrap())
                });
                let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
                assert!(failed.len() == 1 && failed[0].kind() == ErrorKind::AlreadyExists, "{outcomes:?}");
                let winner = if outcomes[0].is_ok() { "one" } else { "other" };
                let content = if name.is_dir() { name.join("marker") } else { name.clone() };
                assert_eq!(fs::read_to_string(content).unwrap(), winner);
                assert_eq!(names(around.path()), ["store"]);
                let removed = if name.is_dir() { fs::remove_dir_all(&name) } else { fs::remove_file(&name) };
                removed.unwrap();
            }
        }
    }

    #[test]
    fn what_never_gets_its_name_is_removed() {
        let around = tempfile::tempdir().unwrap();
        let name = around.path().join("store");
        let (file, folder) =
            (NewFile::create(&name, ".f-").unwrap(), NewFolder::create(&name, ".d-").unwrap());
        fs::write(folder.path().join("marker"), "half a sto").unwrap();
        assert!(!name.exists() && names(around.path()).len() == 2);
        drop((file, folder));
        assert_eq!(names(around.path()), [""; 0]);
    }

    #[test]
    fn what_has_the_name_is_kept_unless_it_is_to_be_replaced() {
        let around = tempfile::tempdir().unwrap();
        let name = around.path().join("store");
        fs::write(&name, "old").unwrap();
        assert_eq!(file(&name, "new").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(folder(&name, "new").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&name).unwrap(), "old");
        let new = NewFile::create(&name, ".new-").unwrap();
        fs::write(new.path(), "new").unwrap();
        new.replace().unwrap();
        assert_eq!(fs::read_to_string(&name).unwrap(), "new");
        assert_eq!(names(around.path()), ["store"]);
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let around = tempfile::tempdir().unwrap();
        let missing = around.path().join("missing");
        for create in [file, folder] {
            let error = create(&missing.join("store"), "text").unwrap_err();
            assert_eq!((error.kind(), error.field("folder")), (ErrorKind::NotFound, missing.to_str()));
        }
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_any_other_file() {
        use std::os::unix::fs::PermissionsExt;
        let around = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        let plain = around.path().join("plain");
        fs::write(&plain, "").unwrap();
        assert_eq!(mode(NewFile::create(&plain, ".f-").unwrap().path()), mode(&plain));
        let plain = around.path().join("folder");
        fs::create_dir(&plain).unwrap();
        assert_eq!(mode(NewFolder::create(&plain, ".d-").unwrap().path()), mode(&plain));
    }
}
