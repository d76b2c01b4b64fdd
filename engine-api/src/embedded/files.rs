//! Paths, and what can be told of a file before the engine's library sees it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{self, Path, PathBuf};

use crate::spi::{Error, ErrorKind, Result};

/// The folder that a path's last name is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path with something behind its last name.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The path from the root, for a library that comes back to it wherever the process goes meanwhile.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    path::absolute(path).map_err(|error| Error::from_io(error, "the path can't be made absolute"))
}

/// Makes the names in a folder survive a power cut. Windows keeps them so without being asked.
///
/// # Errors
/// As the operating system tells them, for the caller knows what fails with it.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { File::open(folder)?.sync_all() }
}

/// Makes a folder, with those above it that aren't there, so that their names survive a power cut. One that is there
/// stays as it is.
///
/// # Errors
/// As the operating system tells them.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    let above = folder_of(folder);
    if !folder.is_dir() {
        if above != folder && !above.is_dir() {
            make_folder(above)?;
        }
        match fs::create_dir(folder) {
            // Another has made it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            made => made?,
        }
    }
    // Who made it may have been killed before this.
    sync_folder(above)
}

/// Removes the files of a store, for good and in this order, those that are there. The one by which a store
/// is known goes last: what is removed by halves is still a store, and can be destroyed again.
pub fn remove_files<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Result<()> {
    let failed = |error| Error::from_io(error, "a file of the store can't be removed");
    for file in files {
        match fs::remove_file(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.and_then(|()| sync_folder(folder_of(file.as_ref()))).map_err(failed)?,
        }
    }
    Ok(())
}

/// Refuses what isn't a file.
pub fn must_be_file(path: &Path) -> Result<()> {
    if look_at(path)?.is_file() {
        return Ok(());
    }
    Err(foreign("a store of this engine is a file, and this isn't one"))
}

/// Refuses what isn't a folder.
pub fn must_be_folder(path: &Path) -> Result<()> {
    if look_at(path)?.is_dir() {
        return Ok(());
    }
    Err(foreign("a store of this engine is a folder, and this isn't one"))
}

/// The first bytes of a file, as many as there are: enough to find a magic before anything is written.
///
/// The file is opened and closed, by which a process may lose locks that it has on it.
pub fn head(path: &Path, bytes: usize) -> Result<Vec<u8>> {
    must_be_file(path)?;
    let mut head = Vec::with_capacity(bytes);
    File::open(path)
        .and_then(|file| file.take(bytes as u64).read_to_end(&mut head))
        .map_err(|error| Error::from_io(error, "the file can't be read"))?;
    Ok(head)
}

fn look_at(path: &Path) -> Result<fs::Metadata> {
    fs::metadata(path).map_err(|error| Error::from_io(error, "the path can't be looked at"))
}

fn foreign(message: &'static str) -> Error {
    Error::new(ErrorKind::Incompatible, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_folder_is_in_the_current_one() {
        assert_eq!(folder_of(Path::new("store")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/store")), Path::new("a"));
        assert_eq!(beside(Path::new("a/store.x"), "-lock"), Path::new("a/store.x-lock"));
        assert!(absolute(Path::new("store")).unwrap().is_absolute());
    }

    #[test]
    fn a_folder_is_synced_and_a_missing_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        sync_folder(folder.path()).unwrap();
        if !cfg!(windows) {
            let error = sync_folder(&folder.path().join("missing")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_folder_is_made_with_those_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/../b/c");
        for _ in 0..2 {
            make_folder(&deep).unwrap();
            assert!(folder.path().join("a/b/c").is_dir());
        }
        let file = folder.path().join("a/file");
        fs::write(&file, "").unwrap();
        assert_eq!(make_folder(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        make_folder(&file.join("under")).unwrap_err();
        assert!(file.is_file());
    }

    #[test]
    fn files_are_removed_in_order_as_far_as_they_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let [first, stuck, last] = ["first", "stuck", "last"].map(|name| folder.path().join(name));
        for file in [&first, &last] {
            fs::write(file, "").unwrap();
        }
        fs::create_dir(&stuck).unwrap();
        remove_files([&first, &stuck, &last]).unwrap_err();
        assert!(!first.exists() && last.exists());
        fs::remove_dir(&stuck).unwrap();
        remove_files([&first, &stuck, &last]).unwrap();
        assert!(!last.exists());
    }

    #[test]
    fn a_head_is_as_long_as_there_are_bytes_and_is_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "magic").unwrap();
        assert_eq!(head(&path, 3).unwrap(), b"mag");
        assert_eq!(head(&path, 30).unwrap(), b"magic");
        must_be_folder(folder.path()).unwrap();
        for error in [head(folder.path(), 3).map(drop), must_be_folder(&path)] {
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Incompatible);
        }
        assert_eq!(head(&folder.path().join("missing"), 3).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
