//! Where the kit may make its stores, and what it may destroy there.

use std::fs;
use std::path::{Path, PathBuf};

use engine_api::{Config, Engine, Error, ErrorKind, OpenMode, Result};

/// What is to become of the place that a URL names, before cases run in it.
pub(super) enum Plan {
    /// The URL names none, or one at a host: a temporary folder will do.
    Elsewhere,
    /// A folder is made for the stores, and removed after them.
    Make(PathBuf),
    /// The folder that is there gets folders for the stores, and nothing else in it is touched.
    Use(PathBuf),
    /// The store that is there is destroyed, as its owner allows, and a folder is made in its place.
    Replace(&'static dyn Engine, Config, PathBuf),
}

impl Plan {
    /// Changes nothing yet.
    ///
    /// # Errors
    /// `AlreadyExists` where something is at the path that the kit may not own.
    pub(super) fn of(engine: &'static dyn Engine, config: &Config, own: bool) -> Result<Self> {
        let (Some(path), None) = (config.path().map(Path::to_path_buf), config.authority()) else {
            return Ok(Self::Elsewhere);
        };
        let failed =
            |error| Error::from_io(error, "the path can't be looked at").with("path", path.display());
        let folder = match fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::Make(path)),
            found => found.map_err(failed)?.is_dir(),
        };
        if folder && fs::read_dir(&path).map_err(failed)?.next().is_none() {
            return Ok(Self::Use(path));
        }
        if !own {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                "there is something at the path already, and conformance makes and destroys stores: name a new or an empty \
                 folder; or say --own, by which a store that is there is destroyed, and other files are left",
            )
            .with("path", path.display()));
        }
        match engine.open(&config.clone().with_mode(OpenMode::ReadOnly)) {
            Ok(_) => Ok(Self::Replace(engine, config.clone(), path)),
            Err(error) if error.kind() == ErrorKind::Locked => Err(error),
            Err(_) if folder => Ok(Self::Use(path)),
            Err(error) => Err(Error::new(
                ErrorKind::AlreadyExists,
                "what is at the path is neither a folder nor a store of the engine, and is left as it is",
            )
            .with("path", path.display())
            .caused_by(error)),
        }
    }

    pub(super) fn carry_out(self) -> Result<Place> {
        let (folder, made) = match self {
            Self::Elsewhere => (None, false),
            Self::Use(path) => (Some(path), false),
            Self::Make(path) => (Some(path), true),
            Self::Replace(engine, config, path) => {
                engine.destroy(&config)?;
                (Some(path), true)
            }
        };
        if let (Some(folder), true) = (&folder, made) {
            fs::create_dir(folder).map_err(|error| {
                Error::from_io(error, "the folder for the stores can't be made")
                    .with("folder", folder.display())
            })?;
        }
        Ok(Place { folder, made })
    }
}

/// The folder that the kit makes its stores in, where it isn't a temporary one. One that was made for it goes with it, if
/// nothing is left there.
#[derive(Debug)]
pub(super) struct Place {
    folder: Option<PathBuf>,
    made: bool,
}

impl Place {
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let (Some(folder), true) = (&self.folder, self.made) {
            // What a case that hangs has left there says more than an error could.
            fs::remove_dir(folder).unwrap_or(());
        }
    }
}
