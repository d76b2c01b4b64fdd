//! Objects at every version of a repo.

use std::fmt;
use std::sync::Arc;

use engine_api::key::{DataContext, RepoId, VersionId};
use engine_api::version::{Instance, NewInstance, Versioned};
use engine_api::{Error, ErrorKind, Result, Store};

use crate::at_version::InstanceSpace;
use crate::objects::Objects;

/// The datatype's name in an [`Instance`].
pub const DATATYPE: &str = "objects";

/// A collection of objects in a repo: one with versions, or one without.
pub struct Bucket<S> {
    store: Arc<Versioned<S>>,
    instance: Instance,
}

impl<S: fmt::Debug> fmt::Debug for Bucket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("store", &self.store).field("instance", &self.instance).finish()
    }
}

impl<S: Store + 'static> Bucket<S> {
    /// Makes a bucket with versions in a repo.
    ///
    /// # Errors
    /// `AlreadyExists` when the repo has an instance of this name.
    pub fn create(store: &Arc<Versioned<S>>, repo: RepoId, name: &str) -> Result<Self> {
        Self::of_new(store, repo, &NewInstance::new(name, DATATYPE))
    }

    /// Makes a bucket without versions in a repo.
    ///
    /// # Errors
    /// `AlreadyExists` when the repo has an instance of this name.
    pub fn create_unversioned(store: &Arc<Versioned<S>>, repo: RepoId, name: &str) -> Result<Self> {
        Self::of_new(store, repo, &NewInstance::new(name, DATATYPE).unversioned())
    }

    fn of_new(store: &Arc<Versioned<S>>, repo: RepoId, new: &NewInstance) -> Result<Self> {
        let instance = store.create_instance(repo, new)?;
        Ok(Self { store: Arc::clone(store), instance })
    }

    /// Opens the only repo's bucket of this name.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` when the instance is of another datatype.
    pub fn open(store: &Arc<Versioned<S>>, name: &str) -> Result<Self> {
        let instance = store.instance_of(DATATYPE, name)?;
        Ok(Self { store: Arc::clone(store), instance })
    }

    /// The instance.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The objects at a version. A committed one reads only: writes are `PermissionDenied`.
    ///
    /// # Errors
    /// `NotFound` for a version that isn't there; `InvalidArgument` when the bucket has no versions, or belongs to another
    /// repo.
    pub fn at(&self, version: VersionId) -> Result<Objects> {
        self.objects(DataContext::versioned(self.instance.id, version), &format!("@{version}"))
    }

    /// The objects of a bucket without versions.
    ///
    /// # Errors
    /// `InvalidArgument` when it has versions.
    pub fn unversioned(&self) -> Result<Objects> {
        if self.instance.versioned {
            return Err(Error::new(ErrorKind::InvalidArgument, "the bucket has versions; name one")
                .with("bucket", &self.instance.name));
        }
        self.objects(DataContext::unversioned(self.instance.id), "")
    }

    fn objects(&self, ctx: DataContext, at: &str) -> Result<Objects> {
        // A context that doesn't fit is told here, and not at the first read.
        self.store.reader(&ctx)?;
        let name = format!("kvdag({}{at})", self.instance.name);
        Ok(Objects::of_space(Arc::new(InstanceSpace::new(Arc::clone(&self.store), ctx)), &name))
    }
}
