//! A context that was checked against the DAG, and those that were.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::ancestry::Ancestry;
use super::dag::Version;
use crate::key::{Context, DataContext, InstanceId, MetadataContext, Scope, TKey, VersionId};
use crate::spi::{Error, ErrorKind, Result};

/// A context that was checked against the DAG.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Metadata,
    Unversioned(DataContext),
    Versioned { ctx: DataContext, ancestry: Arc<Ancestry>, committed: bool },
}

impl Target {
    /// What the context's version sees.
    ///
    /// # Errors
    /// `InvalidArgument` where there is no version.
    pub(super) fn ancestry(&self) -> Result<Arc<Ancestry>> {
        match self {
            Self::Versioned { ancestry, .. } => Ok(Arc::clone(ancestry)),
            Self::Metadata | Self::Unversioned(_) => {
                Err(Error::new(ErrorKind::InvalidArgument, "what has no versions has no history"))
            }
        }
    }

    /// The context that was checked.
    pub(super) fn context(&self) -> &dyn Context {
        match self {
            Self::Metadata => &MetadataContext,
            Self::Unversioned(ctx) | Self::Versioned { ctx, .. } => ctx,
        }
    }

    /// The full key under which a value of `tkey` is stored.
    pub(super) fn construct_key(&self, tkey: &TKey) -> Vec<u8> {
        self.context().construct_key(tkey)
    }

    /// The data context.
    ///
    /// # Errors
    /// `InvalidArgument` for the metadata.
    pub(super) fn data(&self) -> Result<&DataContext> {
        match self {
            Self::Metadata => {
                Err(Error::new(ErrorKind::InvalidArgument, "the metadata has no data instance"))
            }
            Self::Unversioned(ctx) | Self::Versioned { ctx, .. } => Ok(ctx),
        }
    }
}

/// Beyond this many they are dropped and found again.
const TARGETS_KEPT: usize = 1024;

/// The targets that were found in one state of the DAG, which go with it.
#[derive(Debug, Default)]
pub(super) struct Targets(RwLock<BTreeMap<(InstanceId, VersionId), Target>>);

impl Targets {
    pub(super) fn find(&self, scope: Scope) -> Option<Target> {
        let Scope::Versioned(instance, version) = scope else { return None };
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&(instance, version)).cloned()
    }

    pub(super) fn keep(&self, scope: Scope, target: &Target) {
        let Scope::Versioned(instance, version) = scope else { return };
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= TARGETS_KEPT {
            kept.clear();
        }
        kept.insert((instance, version), target.clone());
    }
}

/// What is said of a version whose data was cleaned away.
#[cold]
pub(super) fn cleaned(version: &Version) -> Error {
    Error::new(ErrorKind::NotFound, "the version's data was cleaned away")
        .with("version", version.uuid.simple())
}
