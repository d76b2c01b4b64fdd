//! Volumes, made.

use std::fs::{File, OpenOptions};
use std::path::Path;

use engine_api::embedded::{NewFile, absolute, beside, folder_of, sync_folder, write_all_at};
use engine_api::{Error, ErrorKind, Result};

use crate::records::encode_header;
use crate::seal::Seal;
use crate::spec::BlockFsSpec;
use crate::volume::BlockFs;

impl BlockFs {
    /// Makes an empty volume, for good: the files' names are on the disk when this returns.
    ///
    /// # Errors
    /// `AlreadyExists` when there is a directory file, or a block file that isn't empty; `InvalidArgument` and
    /// `TooLarge` for a specification that no volume can have.
    pub fn create(path: impl AsRef<Path>, spec: &BlockFsSpec) -> Result<Self> {
        let path = absolute(path.as_ref())?;
        let folder = folder_of(&path).to_owned();
        let mut head = spec.head(&path)?;
        let failed = |error, path: &Path| {
            Error::from_io(error, "a file of the volume can't be created").with("path", path.display())
        };
        let new = NewFile::create(&path, ".blockfs-")?;
        if path.exists() {
            return Err(Error::new(ErrorKind::AlreadyExists, "there is a file of this name")
                .with("path", path.display()));
        }
        let mut folders = vec![folder.clone()];
        for name in &head.names {
            let path = folder.join(name);
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(&path)
                .map_err(|error| failed(error, &path))?;
            if file.metadata().map_err(|error| failed(error, &path))?.len() > 0 {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    "there is a block file of this name, with blocks in it",
                )
                .with("path", path.display()));
            }
            let folder = folder_of(&path).to_owned();
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        if !spec.is_compat() {
            let seal = new_seal(&path)?;
            let records = folder.join(&seal.records);
            create_records(&records, &seal, head.table.blocks)?;
            head.seal = Some(seal);
        }
        let file = new.open()?;
        let bytes = head.bytes()?;
        write_all_at(&file, &bytes, 0)
            .and_then(|()| file.sync_all())
            .and_then(|()| folders.iter().try_for_each(|folder| sync_folder(folder)))
            .map_err(|error| failed(error, &path))?;
        new.give_name()?;
        Self::open(path)
    }
}

/// A seal that names records beside the directory file, which no other volume has.
pub(crate) fn new_seal(path: &Path) -> Result<Seal> {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    let name = beside(path, &format!(".records-{}", unique.get(..8).unwrap_or(&unique)));
    let name = name.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        Error::new(ErrorKind::InvalidArgument, "the path isn't UTF-8, so the records can't be named after it")
    })?;
    Seal::new(name.to_owned())
}

/// Makes a file of records, on the disk but for its name.
pub(crate) fn create_records(path: &Path, seal: &Seal, blocks: u64) -> Result<File> {
    let failed = |error| Error::from_io(error, "the records can't be created").with("path", path.display());
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(failed)?;
    write_all_at(&file, &encode_header(seal.id, blocks), 0).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(file)
}
