//! What a context means in a store, checked once for each state of the DAG.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::ancestry::Ancestry;
use super::dag::{Instance, Version, VersionDag};
use super::versioned::Versioned;
use crate::key::{Context, DataContext, InstanceId, MetadataContext, Scope, TKey, VersionId};
use crate::spi::{Error, ErrorKind, Result, Store};

impl<S: Store> Versioned<S> {
    /// What a context means in this store.
    ///
    /// One that names what isn't there may name what another handle has made since, so the DAG is read anew.
    pub(super) fn place(&self, ctx: &dyn Context) -> Result<Target> {
        let scope = ctx.scope();
        if let Some(target) = self.known(|state| state.targets.find(scope)) {
            return Ok(target);
        }
        let state = self.current()?;
        if let Some(target) = state.targets.find(scope) {
            return Ok(target);
        }
        let (state, target) = match self.place_in(&state.dag, scope) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.refresh()?;
                let state = self.current()?;
                let target = self.place_in(&state.dag, scope)?;
                (state, target)
            }
            outcome => (state, outcome?),
        };
        state.targets.keep(scope, &target);
        Ok(target)
    }

    fn place_in(&self, dag: &VersionDag, scope: Scope) -> Result<Target> {
        match scope {
            Scope::Metadata => Ok(Target::Metadata),
            Scope::Unversioned(id) => {
                let instance = dag.instance(id)?;
                if instance.versioned {
                    return Err(mismatch(
                        instance,
                        "the data instance has versions, so a context must name one",
                    ));
                }
                Ok(Target::Unversioned(DataContext::unversioned(id)))
            }
            Scope::Versioned(id, version) => {
                let instance = dag.instance(id)?;
                let version = dag.version(version)?;
                if !instance.versioned {
                    return Err(mismatch(
                        instance,
                        "the data instance has no versions, so a context can't name one",
                    ));
                }
                if version.repo != instance.repo {
                    return Err(mismatch(
                        instance,
                        "the data instance and the version belong to different repos",
                    ));
                }
                if version.cleaned.is_some() {
                    return Err(cleaned(version));
                }
                let ancestry = self.ancestry(dag, version.id)?;
                Ok(Target::Versioned {
                    ctx: DataContext::versioned(id, version.id),
                    ancestry,
                    committed: version.committed.is_some(),
                })
            }
        }
    }
}

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

    /// The full key under which a value of `tkey` is stored.
    pub(super) fn construct_key(&self, tkey: &TKey) -> Vec<u8> {
        match self {
            Self::Metadata => MetadataContext.construct_key(tkey),
            Self::Unversioned(ctx) | Self::Versioned { ctx, .. } => ctx.construct_key(tkey),
        }
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

/// What is said of a version whose data was cleaned away.
#[cold]
pub(super) fn cleaned(version: &Version) -> Error {
    Error::new(ErrorKind::NotFound, "the version's data was cleaned away")
        .with("version", version.uuid.simple())
}

fn mismatch(instance: &Instance, message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, message).with("instance", &instance.name)
}

/// Beyond this many they are dropped and found again.
const TARGETS_KEPT: usize = 1024;

/// The targets that were found in one state of the DAG, which go with it.
#[derive(Debug, Default)]
pub(super) struct Targets(RwLock<BTreeMap<(InstanceId, VersionId), Target>>);

impl Targets {
    fn find(&self, scope: Scope) -> Option<Target> {
        let Scope::Versioned(instance, version) = scope else { return None };
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&(instance, version)).cloned()
    }

    fn keep(&self, scope: Scope, target: &Target) {
        let Scope::Versioned(instance, version) = scope else { return };
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= TARGETS_KEPT {
            kept.clear();
        }
        kept.insert((instance, version), target.clone());
    }
}
