//! What differs between two versions of an instance, in one scan.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::ancestry::Ancestry;
use super::kv::Flow;
use super::resolver::{KeyResolver, MergePolicy, Offer, Resolved};
use super::versioned::Versioned;
use super::write::view_raw;
use crate::ext::KeyRange;
use crate::key::{DataContext, DataKey, InstanceId, TKey, VersionId};
use crate::spi::{Result, Store, Value};

/// A key that differs between two versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub tkey: TKey,
    /// What it is at the first version.
    pub before: Resolved,
    /// What it is at the second.
    pub after: Resolved,
}

/// One of the two sides, at the key at hand.
struct Side<'a> {
    resolver: KeyResolver<'a>,
    done: bool,
}

impl<'a> Side<'a> {
    fn new(ancestry: &'a Ancestry, policy: MergePolicy) -> Self {
        Self { resolver: KeyResolver::new(ancestry, policy), done: false }
    }

    fn offer(&mut self, key: &DataKey, value: Value<'_>) -> Result<()> {
        if !self.done {
            self.done = self.resolver.offer(key.version, key.mark, value)? == Offer::Done;
        }
        Ok(())
    }
}

impl<S: Store> Versioned<S> {
    /// Visits the keys of a range that two versions of an instance don't have in common, in their order.
    ///
    /// A key with equal values at both is no difference, whichever versions wrote them; one that is deleted
    /// at one version and was never written at the other isn't either.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArgument`: as of every read; whatever `visit` answers.
    pub fn diff(
        &self,
        instance: InstanceId,
        versions: (VersionId, VersionId),
        range: &KeyRange,
        visit: &mut dyn FnMut(Difference) -> Result<Flow>,
    ) -> Result<()> {
        let before = self.seen_by(instance, versions.0)?;
        let after = self.seen_by(instance, versions.1)?;
        let ctx = DataContext::versioned(instance, versions.0);
        let sides = || (Side::new(&before, self.policy()), Side::new(&after, self.policy()));
        let view = self.store.view()?;
        let mut hand_on = |(tkey, (left, right)): (TKey, (Side<'_>, Side<'_>))| {
            let before = self.settle(&*view, instance, &tkey, left.resolver.finish())?;
            let after = self.settle(&*view, instance, &tkey, right.resolver.finish())?;
            if same(&before, &after) {
                Ok(Flow::Continue(()))
            } else {
                visit(Difference { tkey, before, after })
            }
        };
        let mut current: Option<(TKey, (Side<'_>, Side<'_>))> = None;
        let mut stopped = false;
        view_raw(&*view, &ctx, range, &mut |key, value| {
            if current.as_ref().is_none_or(|(tkey, _)| *tkey != key.tkey) {
                if let Some(ended) = current.take()
                    && hand_on(ended)?.is_break()
                {
                    stopped = true;
                    return Ok(ControlFlow::Break(()));
                }
                current = Some((key.tkey.clone(), sides()));
            }
            if let Some((_, (left, right))) = &mut current {
                left.offer(key, value)?;
                right.offer(key, value)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        match current {
            Some(last) if !stopped => hand_on(last).map(drop),
            _ => Ok(()),
        }
    }

    fn seen_by(&self, instance: InstanceId, version: VersionId) -> Result<Arc<Ancestry>> {
        let target = self.place(&DataContext::versioned(instance, version))?;
        target.ancestry()
    }
}

fn same(before: &Resolved, after: &Resolved) -> bool {
    match (before, after) {
        (Resolved::Found { value: old, .. }, Resolved::Found { value: new, .. }) => old == new,
        _ if !before.is_visible() && !after.is_visible() => true,
        _ => before == after,
    }
}
