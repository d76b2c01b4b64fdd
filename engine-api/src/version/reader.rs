//! Reading in a context from one view.

use std::fmt;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::conflicts::{Conflict, Side};
use super::kv::{Flow, Reading, Seen};
use super::read::{resolve_key, resolve_range};
use super::resolver::{Decided, Resolved};
use super::target::Target;
use super::versioned::Versioned;
use crate::ext::KeyRange;
use crate::key::{Context, TKey, VersionId};
use crate::spi::{Fetch, Result, Step, Store, Value, View, visitor};

/// Reads in one context, all from one view: see [`Versioned::reader`].
pub struct Reader<'a, S> {
    store: &'a Versioned<S>,
    pub(super) view: Box<dyn View>,
    pub(super) target: Target,
}

impl<S: Store> Versioned<S> {
    /// Reads several keys or ranges in one context from one view.
    ///
    /// What is asked of a context once for each read, whether it is there and what its version sees, is asked
    /// once. Where the engine has snapshots all is read of one state; the engine keeps that state for as long as
    /// the reader lives, so let go of it soon. A [`stream`](super::stream) may be kept.
    ///
    /// # Errors
    /// `NotFound` for an instance or a version that isn't there; `InvalidArgument` for a context that doesn't
    /// fit the instance.
    pub fn reader(&self, ctx: &dyn Context) -> Result<Reader<'_, S>> {
        if self.is_alone() {
            // In this order: what a version saw before a change of the DAG can be read after it, and not the
            // other way round.
            let target = self.place(ctx)?;
            return Ok(Reader { store: self, view: self.store.view()?, target });
        }
        let view = self.store.view()?;
        let target = self.place_at(&*self.current_in(&*view)?, ctx.scope())?;
        Ok(Reader { store: self, view, target })
    }
}

impl<S> fmt::Debug for Reader<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("target", &self.target).finish_non_exhaustive()
    }
}

impl<S: Store> Reader<'_, S> {
    /// What a key is. A value may pin the state that was read, as with [`get`](Self::get).
    pub fn resolve(&self, tkey: &TKey) -> Result<Resolved> {
        if let Target::Versioned { ctx, ancestry, .. } = &self.target {
            let key = (ctx.instance(), tkey);
            let decided =
                resolve_key(&*self.view, ancestry, self.store.policy(), key, |value, _| value.keep())?;
            return self.store.settle(&*self.view, ctx.instance(), tkey, decided.into());
        }
        Ok(match self.view.get(&self.target.construct_key(tkey))? {
            Some(value) => Resolved::Found { value, version: VersionId::default() },
            None => Resolved::Absent,
        })
    }

    /// The value of a key, or `None` where there is none. It may pin the state that was read: copy what is kept
    /// for long.
    ///
    /// # Errors
    /// `Conflict` names the versions between which nothing has chosen.
    pub fn get(&self, tkey: &TKey) -> Result<Option<Bytes>> {
        self.resolve(tkey)?.into_value()
    }

    /// Hands a key's value to `read`, from the engine's own page where it can be; answers whether there is one.
    ///
    /// # Errors
    /// `Conflict`, as for [`get`](Self::get).
    pub fn get_with(&self, tkey: &TKey, read: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let Target::Versioned { ctx, ancestry, .. } = &self.target else {
            return self.view.get_with(&self.target.construct_key(tkey), read);
        };
        let key = (ctx.instance(), tkey);
        // Behind a merge it takes the entries that follow to tell whether a value is the answer.
        let decided = resolve_key(&*self.view, ancestry, self.store.policy(), key, |value, answer| {
            if answer {
                read(value.bytes()?);
                return Ok(None);
            }
            value.to_bytes().map(Some)
        })?;
        match decided {
            Decided::Found { value: Some(value), .. } => read(&value),
            Decided::Found { value: None, .. } => {}
            Decided::Deleted { .. } | Decided::Absent => return Ok(false),
            Decided::Conflict { versions } => {
                let conflict = Resolved::Conflict { versions };
                let settled = self.store.settle(&*self.view, ctx.instance(), tkey, conflict)?;
                let Some(value) = settled.into_value()? else { return Ok(false) };
                read(&value);
            }
        }
        Ok(true)
    }

    /// Whether a key has a value.
    ///
    /// # Errors
    /// `Conflict`, as for [`get`](Self::get).
    pub fn exists(&self, tkey: &TKey) -> Result<bool> {
        self.get_with(tkey, &mut |_| {})
    }

    /// Visits the keys of a range in their order, each with what it is; see
    /// [`OrderedKeyValue::visit_with`](super::OrderedKeyValue::visit_with).
    pub fn visit_with(
        &self,
        range: &KeyRange,
        fetch: Fetch,
        visit: &mut dyn FnMut(&[u8], Seen<'_>) -> Result<Flow>,
    ) -> Result<()> {
        if range.scan().is_empty() {
            return Ok(());
        }
        if let Target::Versioned { ctx, ancestry, .. } = &self.target {
            let (view, policy) = (&*self.view, self.store.policy());
            if self.store.resolver.is_none() {
                return resolve_range(view, ancestry, policy, ctx, range, fetch, visit);
            }
            let mut each =
                |tkey: &[u8], seen: Seen<'_>| self.store.hand_on((view, ctx, fetch), tkey, seen, visit);
            return resolve_range(view, ancestry, policy, ctx, range, fetch, &mut each);
        }
        let ctx = self.target.context();
        let full = ctx.full_range(range);
        let mut scan = full.scan();
        scan.fetch = fetch;
        let mut each = visitor(|key: &[u8], value: Value<'_>| {
            let value = match fetch {
                Fetch::Entries => value,
                Fetch::Keys => Value::ready(&[]),
            };
            let found = Seen::Found { value, version: VersionId::default() };
            Ok(match visit(ctx.tkey_from_key(key)?.as_bytes(), found)? {
                ControlFlow::Continue(()) => Step::Next,
                ControlFlow::Break(()) => Step::Stop,
            })
        });
        self.view.scan(scan, &mut each)
    }
}

impl<S: Store> Reading for Reader<'_, S> {
    fn resolve(&self, tkey: &TKey) -> Result<Resolved> {
        self.resolve(tkey)
    }

    fn visit_with(
        &self,
        range: &KeyRange,
        fetch: Fetch,
        visit: &mut dyn FnMut(&[u8], Seen<'_>) -> Result<Flow>,
    ) -> Result<()> {
        self.visit_with(range, fetch, visit)
    }

    fn sides(&self, tkey: &TKey, versions: &[VersionId]) -> Result<Vec<Side>> {
        Ok(Conflict::read(&*self.view, self.target.data()?.instance(), tkey, versions)?.sides)
    }

    fn is_linear(&self) -> bool {
        match &self.target {
            Target::Metadata | Target::Unversioned(_) => true,
            Target::Versioned { ancestry, .. } => ancestry.is_linear(),
        }
    }
}
