//! A file that gets its name when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use engine_api::{Error, ErrorKind, Result};

/// A file under a temporary name beside its target: renamed by [`commit`](Self::commit), removed when dropped
/// before.
#[derive(Debug)]
pub(super) struct PartialFile {
    file: BufWriter<File>,
    path: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl PartialFile {
    pub(super) fn create(target: &Path) -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = target
            .file_name()
            .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "the path names no file"))?;
        // In the target's own folder: only there is a rename atomic. The process and a count keep two writers
        // of one target apart.
        let mut partial = std::ffi::OsString::from(".");
        partial.push(name);
        partial.push(format!(".{}-{}.partial", process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let path = target.with_file_name(partial);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| Error::from_io(error, "the file can't be created"))?;
        let file = BufWriter::with_capacity(1 << 18, file);
        Ok(Self { file, path, target: target.to_owned(), committed: false })
    }

    /// The temporary name, for libraries that write files by their name.
    #[cfg(feature = "hdf5")]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn commit(mut self) -> Result<()> {
        let written = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        written
            .and_then(|()| fs::rename(&self.path, &self.target))
            .map_err(|error| Error::from_io(error, "the file can't be completed"))?;
        self.committed = true;
        Ok(())
    }

    pub(super) fn write_failed(error: io::Error) -> Error {
        Error::from_io(error, "the file can't be written")
    }
}

impl Write for PartialFile {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.file.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for PartialFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.committed {
            // Nobody is left to tell, and the name says that the file is incomplete.
            fs::remove_file(&self.path).ok();
        }
    }
}
