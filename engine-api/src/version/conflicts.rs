//! Keys in conflict, with every side: at a merge, and before it is made.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use super::ancestry::Ancestry;
use super::dag::VersionDag;
use super::kv::{Flow, Seen};
use super::read::resolve_range;
use super::resolver::MergePolicy;
use super::versioned::Versioned;
use crate::ext::KeyRange;
use crate::key::{Context, DataContext, InstanceId, TKey, VersionId};
use crate::spi::{Error, ErrorKind, Fetch, Result, Store, View};

/// One side of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The version that wrote it.
    pub version: VersionId,
    /// What it wrote; `None` is a delete, which is a side under [`MergePolicy::Strict`] alone.
    pub value: Option<Bytes>,
}

/// A key in conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The key.
    pub tkey: TKey,
    /// Its sides, two at least, by ascending number of their versions.
    pub sides: Vec<Side>,
}

impl Conflict {
    /// Reads the sides of a key that was found in conflict in the same view.
    pub(super) fn read(
        view: &dyn View,
        instance: InstanceId,
        tkey: &TKey,
        versions: &[VersionId],
    ) -> Result<Self> {
        let side = |version: &VersionId| {
            let value = view.get(&DataContext::versioned(instance, *version).construct_key(tkey))?;
            Ok(Side { version: *version, value })
        };
        Ok(Self { tkey: tkey.clone(), sides: versions.iter().map(side).collect::<Result<_>>()? })
    }

    /// The side that a version sees: the one that it or an ancestor of it wrote. `None` where it sees no side,
    /// and where it sees several, as a merge does that is in conflict itself.
    ///
    /// # Errors
    /// `NotFound` when there is no such version.
    pub fn seen_by(&self, dag: &VersionDag, version: VersionId) -> Result<Option<&Side>> {
        dag.version(version)?;
        let mut seen = None;
        for side in &self.sides {
            if dag.is_ancestor(side.version, version)? && seen.replace(side).is_some() {
                return Ok(None);
            }
        }
        Ok(seen)
    }

    /// The side that the first of these versions sees that sees one.
    ///
    /// # Errors
    /// Those of [`seen_by`](Self::seen_by).
    pub fn preferred(&self, dag: &VersionDag, prefer: &[VersionId]) -> Result<Option<&Side>> {
        for version in prefer {
            if let Some(side) = self.seen_by(dag, *version)? {
                return Ok(Some(side));
            }
        }
        Ok(None)
    }
}

impl<S: Store> Versioned<S> {
    /// Visits the keys of a range that are in conflict, in their order: with one version those that it has now,
    /// with more those that a merge of them would have.
    ///
    /// It reads one view in one scan, and holds one conflict at a time. Under [`MergePolicy::FirstParent`]
    /// there is none. It follows the read rule alone: a [resolver](Self::with_resolver) isn't asked.
    ///
    /// # Errors
    /// `InvalidArgument` for no version; `NotFound`, `InvalidArgument`: as of every read; whatever `visit` answers.
    pub fn conflicts(
        &self,
        instance: InstanceId,
        versions: &[VersionId],
        range: &KeyRange,
        visit: &mut dyn FnMut(Conflict) -> Result<Flow>,
    ) -> Result<()> {
        let mut ancestry: Option<Arc<Ancestry>> = None;
        for version in versions {
            let target = self.place(&DataContext::versioned(instance, *version))?;
            ancestry = Some(target.ancestry()?);
        }
        let (Some(mut ancestry), Some(first)) = (ancestry, versions.first()) else {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "conflicts are those of a version, or of several",
            ));
        };
        if self.policy() == MergePolicy::FirstParent || range.scan().is_empty() {
            return Ok(());
        }
        if versions.len() > 1 {
            ancestry = Arc::new(Ancestry::of_merge(&self.current()?.dag, versions)?);
        }
        let view = self.store.view()?;
        let ctx = DataContext::versioned(instance, *first);
        visit_conflicts(&*view, &ancestry, self.policy(), &ctx, range, visit)
    }
}

/// Visits the keys of a range that are in conflict. Values are read of their sides alone.
pub(super) fn visit_conflicts(
    view: &dyn View,
    ancestry: &Ancestry,
    policy: MergePolicy,
    ctx: &DataContext,
    range: &KeyRange,
    visit: &mut dyn FnMut(Conflict) -> Result<Flow>,
) -> Result<()> {
    resolve_range(view, ancestry, policy, ctx, range, Fetch::Keys, &mut |tkey, seen| match seen {
        Seen::Conflict { versions } => {
            visit(Conflict::read(view, ctx.instance(), &TKey::from(tkey), &versions)?)
        }
        Seen::Found { .. } => Ok(ControlFlow::Continue(())),
    })
}
