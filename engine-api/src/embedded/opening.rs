//! What a mode means for a store at a path.

use std::path::Path;

use crate::spi::{Config, Error, ErrorKind, OpenMode, Result};

/// Opens or creates what is at the path, as the mode says; answers whether it was created.
///
/// `create` answers `AlreadyExists` where something has taken the path since it was looked at, as
/// [`NewFile`](super::NewFile) does. What another has created meanwhile is then opened, if the mode allows.
///
/// # Errors
/// Those of [`OpenMode::decide`], and of the two functions, with the path added.
pub fn open_or_create<T>(
    config: &Config,
    create: impl FnOnce(&Path) -> Result<T>,
    open: impl FnOnce(&Path) -> Result<T>,
) -> Result<(T, bool)> {
    let (path, mode) = (config.local_path()?, config.mode());
    let created = mode.decide(path)?.then(|| create(path));
    match created {
        Some(Err(error)) if mode == OpenMode::Create && error.kind() == ErrorKind::AlreadyExists => {
            open(path).map(|opened| (opened, false))
        }
        Some(created) => created.map(|created| (created, true)),
        None => open(path).map(|opened| (opened, false)),
    }
    .map_err(|error| at(path, error))
}

/// Removes what is at the path, if there is anything; whatever the mode is.
///
/// # Errors
/// Those of `remove`, with the path added.
pub fn destroy(config: &Config, remove: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let path = config.local_path()?;
    if OpenMode::Create.decide(path)? {
        return Ok(());
    }
    remove(path).map_err(|error| at(path, error))
}

/// Mends what is at the path, whatever the mode is.
///
/// # Errors
/// `NotFound` where there is nothing; those of `mend`, with the path added.
pub fn repair<T>(config: &Config, mend: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let path = config.local_path()?;
    OpenMode::Existing.decide(path)?;
    mend(path).map_err(|error| at(path, error))
}

#[cold]
fn at(path: &Path, error: Error) -> Error {
    error.with("path", path.display())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::MEMORY;
    use crate::spi::Engine;

    fn config(path: &Path, mode: OpenMode) -> Config {
        Config::new(MEMORY.descriptor()).at(path).with_mode(mode)
    }

    fn taken<T>(path: &Path) -> Result<T> {
        fs::write(path, "another's").unwrap();
        Err(Error::new(ErrorKind::AlreadyExists, "another was faster"))
    }

    fn read(path: &Path) -> Result<String> {
        fs::read_to_string(path).map_err(|error| Error::from_io(error, "it can't be read"))
    }

    #[test]
    fn what_another_creates_meanwhile_is_opened_unless_it_must_be_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let opened = open_or_create(&config(&path, OpenMode::Create), taken, read).unwrap();
        assert_eq!(opened, ("another's".to_owned(), false));
        fs::remove_file(&path).unwrap();
        let error = open_or_create(&config(&path, OpenMode::New), taken, read).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(error.field("path"), path.to_str());
    }

    #[test]
    fn a_creation_that_fails_is_no_opening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let full = |_: &Path| Err(Error::new(ErrorKind::Full, "no room"));
        let error = open_or_create(&config(&path, OpenMode::Create), full, read).unwrap_err();
        assert_eq!((error.kind(), error.field("path")), (ErrorKind::Full, path.to_str()));
    }

    #[test]
    fn nothing_is_removed_or_mended_where_there_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let config = config(&path, OpenMode::New);
        destroy(&config, |_| panic!("there is nothing")).unwrap();
        assert_eq!(repair(&config, |_| Ok(())).unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(&path, "").unwrap();
        let locked = |_: &Path| Err(Error::new(ErrorKind::Locked, "it is open"));
        for error in [destroy(&config, locked).unwrap_err(), repair::<()>(&config, locked).unwrap_err()] {
            assert_eq!((error.kind(), error.field("path")), (ErrorKind::Locked, path.to_str()));
        }
    }
}
