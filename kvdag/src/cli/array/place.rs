//! Where an array file is: on the local disk, in a kvdag store at a version, or in a bucket.

use std::error::Error as StdError;
use std::path::Path;
use std::sync::Arc;

use array_file::{ArrayFile, FileConfig, LocalDisk, ObjectRole, list_objects};
use engine_api::version::Version;
use engine_api::{Error, ErrorKind, Result};
use kvdag_object_store::Bucket;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::{Builder, Runtime};

use crate::cli::interrupt::Careful;
use crate::cli::{resolve, store};

/// The collection of objects that files are in when the command line names none.
const DEFAULT_BUCKET: &str = "arrays";

#[derive(Clone, Debug, clap::Args)]
pub(super) struct PlaceArgs {
    /// The array file: a path that ends in .af, the URL of one in a bucket, or with --store its name there.
    pub(super) file: String,
    /// The kvdag store that the file is in.
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// The store's version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION", requires = "store")]
    at: Option<String>,
    /// The store's collection of objects that the file is in; `arrays` unless given.
    #[arg(long, value_name = "NAME", requires = "store")]
    objects: Option<String>,
}

/// A file that is read, now or as it was.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PastArgs {
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    /// A commit of the past: its number, or a name that `history --name` gave it.
    #[arg(long, value_name = "COMMIT")]
    pub(super) commit: Option<String>,
}

/// What is to be done at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Read,
    Write,
    Create,
}

/// An object store that is open, the file's path in it, and the threads that wait for both.
pub(super) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) path: String,
    pub(super) runtime: Runtime,
}

/// An array file that is open.
pub(super) struct Arrays {
    pub(super) file: ArrayFile,
    pub(super) place: Place,
    /// Whether the file was made by this command.
    created: bool,
}

impl Place {
    pub(super) fn to_read(args: &PlaceArgs) -> Result<Self> {
        Self::open(args, Purpose::Read)
    }

    fn open(args: &PlaceArgs, purpose: Purpose) -> Result<Self> {
        let runtime = runtime()?;
        let (store, path) = match &args.store {
            Some(url) => (objects(args, url, purpose)?, args.file.clone()),
            None if args.file.contains("://") => cloud(&args.file)?,
            None => local(&args.file)?,
        };
        Ok(Self { store, path, runtime })
    }

    /// Waits for work on array files.
    pub(super) fn wait<T>(&self, work: impl Future<Output = array_file::Result<T>>) -> Result<T> {
        self.runtime.block_on(work).map_err(failed)
    }

    /// The bytes of an object.
    pub(super) fn get(&self, path: &str) -> Result<Vec<u8>> {
        self.wait(async {
            let path = object_store::path::Path::parse(path).map_err(object_store::Error::from)?;
            Ok(self.store.get(&path).await?.bytes().await?.to_vec())
        })
    }
}

impl Arrays {
    /// Opens a file to read it, at a commit of the past where one is named.
    pub(super) fn to_read(args: &PastArgs) -> Result<Self> {
        let place = Place::to_read(&args.place)?;
        let (store, config) = (Arc::clone(&place.store), FileConfig::default());
        let file = place.wait(async {
            match args.commit.as_deref() {
                None => ArrayFile::open(store, &place.path, config).await,
                Some(commit) => match commit.parse() {
                    Ok(number) => ArrayFile::open_at(store, &place.path, number, config).await,
                    Err(_) => ArrayFile::open_snapshot(store, &place.path, commit, config).await,
                },
            }
        });
        // An empty place has no commits either; that there is no file says more.
        Ok(Self { file: file.map_err(|error| error.with("file", &args.place.file))?, place, created: false })
    }

    /// Opens a file that must be there, to change it.
    pub(super) fn to_write(args: &PlaceArgs, config: FileConfig) -> Result<Self> {
        let place = Place::open(args, Purpose::Write)?;
        let file = place.wait(ArrayFile::open(Arc::clone(&place.store), &place.path, config));
        Ok(Self { file: file.map_err(|error| error.with("file", &args.file))?, place, created: false })
    }

    /// Opens a file to change it, and makes it where there is none.
    pub(super) fn to_write_or_create(args: &PlaceArgs, config: FileConfig) -> Result<Self> {
        let place = Place::open(args, Purpose::Create)?;
        let (file, created) = place
            .wait(async {
                let store = || Arc::clone(&place.store);
                match ArrayFile::create(store(), &place.path, config.clone()).await {
                    Ok(file) => Ok((file, true)),
                    Err(array_file::Error::FileAlreadyExists { .. }) => {
                        Ok((ArrayFile::open(store(), &place.path, config).await?, false))
                    }
                    Err(error) => Err(error),
                }
            })
            .map_err(|error| error.with("file", &args.file))?;
        Ok(Self { file, place, created })
    }

    pub(super) fn was_created(&self) -> bool {
        self.created
    }

    /// Changes the file by work that ends in a commit; where it fails, a file that was made for it goes again.
    pub(super) fn change<T>(mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        // Ctrl-C in the middle of a commit waits for it, and what was made for work that ends early is removed.
        let _careful = Careful::begin();
        let outcome = work(&mut self);
        if outcome.is_err() && self.created && self.file.commit() == 0 {
            // That the work failed is what is told; a file without arrays does no harm.
            self.discard().ok();
        }
        outcome
    }

    /// Commits what is pending.
    pub(super) fn flush(&mut self) -> Result<u64> {
        self.place.runtime.block_on(self.file.flush()).map_err(failed)
    }

    fn discard(&self) -> Result<()> {
        self.place.wait(async {
            let objects = list_objects(&self.place.store, &self.place.path).await?;
            // Somebody else may have committed to the file in the meantime.
            if objects.iter().any(|object| matches!(object.role, ObjectRole::Commit(_))) {
                return Ok(());
            }
            for object in objects {
                let path =
                    object_store::path::Path::parse(&object.path).map_err(object_store::Error::from)?;
                self.place.store.delete(&path).await?;
            }
            Ok(())
        })
    }
}

fn runtime() -> Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::from_io(error, "there is no thread to wait on"))
}

/// Every object of a file is named after it, which ends in `.af`.
fn check_name(name: &str) -> Result<()> {
    if Path::new(name).extension().is_none_or(|extension| extension != "af") {
        return Err(Error::new(ErrorKind::InvalidArgument, "the name of an array file ends in .af")
            .with("file", name));
    }
    Ok(())
}

/// The bucket that a URL names as an object store, and the file's path in it.
#[cfg(feature = "s3")]
fn cloud(url: &str) -> Result<(Arc<dyn ObjectStore>, String)> {
    let (store, path) = super::cloud::open(url)?;
    check_name(&path)?;
    Ok((store, path))
}

/// Without a client of any server a URL can't be opened.
#[cfg(not(feature = "s3"))]
fn cloud(url: &str) -> Result<(Arc<dyn ObjectStore>, String)> {
    let (scheme, _) = url.split_once("://").unwrap_or_default();
    Err(Error::new(
        ErrorKind::Unsupported,
        "this build opens array files on the local disk, or in a kvdag store by --store; those at URLs need its feature s3",
    )
    .with("scheme", scheme))
}

/// The folder of a file on the local disk as an object store, and the file's name.
fn local(file: &str) -> Result<(Arc<dyn ObjectStore>, String)> {
    let path = Path::new(file);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    check_name(name)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(
            Error::new(ErrorKind::NotFound, "there is no such folder").with("folder", folder.display())
        );
    }
    // A commit survives a power cut only where its objects were forced to the disk.
    let disk = LocalDisk::new(folder).map_err(|error| failed(error.into()))?;
    Ok((Arc::new(disk), name.to_owned()))
}

/// The objects of a kvdag store at a version.
fn objects(args: &PlaceArgs, url: &str, purpose: Purpose) -> Result<Arc<dyn ObjectStore>> {
    let store = match purpose {
        Purpose::Read => store::open_to_read(url),
        Purpose::Write => store::open_to_write(url),
        Purpose::Create => store::open_or_create(url),
    }?;
    let version = store::version(&store, args.at.as_deref())?;
    if purpose != Purpose::Read {
        check_open(&version)?;
    }
    let name = args.objects.as_deref().unwrap_or(DEFAULT_BUCKET);
    let store = Arc::new(store);
    let bucket = match Bucket::open(&store, name) {
        Err(error) if purpose == Purpose::Create && error.kind() == ErrorKind::NotFound => {
            Bucket::create(&store, version.repo, name)
        }
        opened => opened,
    }?;
    Ok(Arc::new(bucket.at(version.id)?))
}

fn check_open(version: &Version) -> Result<()> {
    if version.committed.is_some() {
        return Err(Error::new(
            ErrorKind::ReadOnly,
            "the version is committed, so it can't be written; `kvdag new` makes a new one from it",
        )
        .with("version", store::short(&version.uuid)));
    }
    Ok(())
}

/// A file at a merge, or below one, and the objects at its sides.
pub(super) struct Sides {
    pub(super) to: Place,
    /// The objects at the version whose side is taken.
    pub(super) taken: Arc<dyn ObjectStore>,
    /// The objects at each version that was merged.
    pub(super) others: Vec<Arc<dyn ObjectStore>>,
}

impl Sides {
    pub(super) fn open(args: &PlaceArgs, take: &str) -> Result<Self> {
        let url = args.store.as_deref().ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "only files in a kvdag store are merged; give --store")
        })?;
        let store = store::open_to_write(url)?;
        let at = store::version(&store, args.at.as_deref())?;
        check_open(&at)?;
        let dag = store.dag()?;
        let taken = resolve::side(&store, &dag, &at, take)?;
        let mut merge = &at;
        while let [parent] = merge.parents.as_slice() {
            merge = dag.version(*parent)?;
        }
        if merge.parents.is_empty() {
            return Err(Error::new(ErrorKind::InvalidArgument, "there is no merge at or above the version")
                .with("version", store::short(&at.uuid)));
        }
        if !merge.parents.contains(&taken) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "the version is none of those that were merged",
            )
            .with("version", take));
        }
        let merged = merge.parents.clone();
        let bucket = Bucket::open(&Arc::new(store), args.objects.as_deref().unwrap_or(DEFAULT_BUCKET))?;
        let objects = |version| -> Result<Arc<dyn ObjectStore>> { Ok(Arc::new(bucket.at(version)?)) };
        let others = merged.into_iter().map(objects).collect::<Result<_>>()?;
        let to = Place { store: objects(at.id)?, path: args.file.clone(), runtime: runtime()? };
        Ok(Self { to, taken: objects(taken)?, others })
    }
}

/// An error of an array file, with the kind of what failed below it.
pub(super) fn failed(error: array_file::Error) -> Error {
    use array_file::Error as Failed;
    #[cfg(feature = "s3")]
    let error = match super::cloud::of_server(error) {
        Ok(told) => return told,
        Err(error) => error,
    };
    let kind = match &error {
        Failed::Storage(below) => kind_below(below),
        other => other.kind(),
    };
    Error::new(kind, "an array file failed").caused_by(error)
}

/// What an object store's error says a caller can do: that of the engine, where one is at the bottom of it.
fn kind_below(error: &object_store::Error) -> ErrorKind {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<Error>() {
            return error.kind();
        }
        cause = error.source();
    }
    match error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::AlreadyExists { .. } => ErrorKind::AlreadyExists,
        object_store::Error::PermissionDenied { .. } => ErrorKind::ReadOnly,
        object_store::Error::InvalidPath { .. } => ErrorKind::InvalidArgument,
        _ => ErrorKind::Io,
    }
}
