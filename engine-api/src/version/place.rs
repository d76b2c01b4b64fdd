//! What a context means in a store, checked once for each state of the DAG.

use super::dag::Instance;
use super::target::{Target, cleaned};
use super::versioned::{State, Versioned};
use crate::key::{Context, DataContext, Scope};
use crate::spi::{Error, ErrorKind, Result, Store};

impl<S: Store> Versioned<S> {
    /// What a context means in this store.
    ///
    /// One that names what isn't there may name what another handle has made since, so the DAG is read anew.
    pub(super) fn place(&self, ctx: &dyn Context) -> Result<Target> {
        let scope = ctx.scope();
        if self.is_alone()
            && let Some(target) = self.known(|state| state.targets.find(scope))
        {
            return Ok(target);
        }
        match self.place_at(&*self.current()?, scope) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.refresh()?;
                self.place_at(&*self.current()?, scope)
            }
            outcome => outcome,
        }
    }

    /// What a context means where writes go, which needn't be what it means by now: what has changed since, the
    /// requirements of their commit find out.
    pub(super) fn place_to_write(&self, ctx: &dyn Context) -> Result<Target> {
        match self.known(|state| state.targets.find(ctx.scope())) {
            Some(target) => Ok(target),
            None => self.place(ctx),
        }
    }

    /// What a context means in a state of the DAG.
    pub(super) fn place_at(&self, state: &State, scope: Scope) -> Result<Target> {
        if let Some(target) = state.targets.find(scope) {
            return Ok(target);
        }
        let target = self.place_in(state, scope)?;
        state.targets.keep(scope, &target);
        Ok(target)
    }

    fn place_in(&self, state: &State, scope: Scope) -> Result<Target> {
        let dag = &state.dag;
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
                let ancestry = self.ancestry(state, version.id)?;
                Ok(Target::Versioned {
                    ctx: DataContext::versioned(id, version.id),
                    ancestry,
                    committed: version.committed.is_some(),
                })
            }
        }
    }
}

fn mismatch(instance: &Instance, message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, message).with("instance", &instance.name)
}
