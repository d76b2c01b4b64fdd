//! Keys in conflict, with every side: at a merge, and before it is made.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::ancestry::Ancestry;
use super::conflicts::Conflict;
use super::kv::{Flow, Seen};
use super::read::resolve_range;
use super::resolver::MergePolicy;
use super::versioned::Versioned;
use crate::ext::KeyRange;
use crate::key::{DataContext, InstanceId, TKey, VersionId};
use crate::spi::{Error, ErrorKind, Fetch, Result, Store, View};

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
