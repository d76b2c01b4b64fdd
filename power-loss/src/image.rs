//! What is on a disk: folders and files, by path.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is on a disk, without what was only in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    // By path from the root of the disk; a folder comes before what is in it. `None` for a folder.
    entries: BTreeMap<PathBuf, Option<Vec<u8>>>,
}

impl Image {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is in a folder. Links and other special files are left out.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut image = Self::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(inner) = folders.pop() {
            for entry in fs::read_dir(folder.join(&inner))? {
                let entry = entry?;
                let (path, kind) = (inner.join(entry.file_name()), entry.file_type()?);
                if kind.is_dir() {
                    image.add_folder(&path);
                    folders.push(path);
                } else if kind.is_file() {
                    image.add_file(&path, fs::read(entry.path())?);
                }
            }
        }
        Ok(image)
    }

    /// Writes it into a folder.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        for (path, file) in &self.entries {
            let path = folder.join(path);
            match file {
                Some(bytes) => fs::write(path, bytes)?,
                None => fs::create_dir(path)?,
            }
        }
        Ok(())
    }

    /// The bytes of a file, by its path from the root of the disk.
    pub fn file(&self, path: impl AsRef<Path>) -> Option<&[u8]> {
        self.entries.get(path.as_ref())?.as_deref()
    }

    /// The paths of all files and folders, from the root of the disk.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.entries.keys().map(PathBuf::as_path)
    }

    pub(crate) fn add_folder(&mut self, path: &Path) {
        self.entries.insert(path.to_owned(), None);
    }

    pub(crate) fn add_file(&mut self, path: &Path, bytes: Vec<u8>) {
        self.entries.insert(path.to_owned(), Some(bytes));
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Path, Option<&[u8]>)> {
        self.entries.iter().map(|(path, file)| (path.as_path(), file.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_what_a_folder_holds() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/file"), "text").unwrap();
        fs::write(folder.path().join("z"), "").unwrap();
        let image = Image::read(folder.path()).unwrap();
        assert_eq!(image.paths().count(), 4);
        assert_eq!(image.file("a/b/file"), Some(&b"text"[..]));
        assert_eq!(image.file("a"), None);
        let copy = tempfile::tempdir().unwrap();
        image.write(copy.path()).unwrap();
        assert_eq!(Image::read(copy.path()).unwrap(), image);
    }
}
