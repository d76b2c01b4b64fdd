//! Conflicts that a resolver of the caller's settles as they are read.

use std::sync::Arc;

use super::conflicts::{Conflict, ConflictResolver, Side};
use super::kv::{Flow, Seen};
use super::resolver::Resolved;
use super::versioned::Versioned;
use crate::key::{DataContext, InstanceId, TKey};
use crate::spi::{Fetch, Result, Store, Value, View};

impl<S: Store> Versioned<S> {
    /// The same with a resolver that is asked wherever a read would answer a conflict: of a key, of ranges, with
    /// and without values, and of differences. What it chooses isn't written; [`resolve_conflict`] writes.
    ///
    /// A choice that no side wrote is answered under the number of the conflict's last side.
    ///
    /// [`resolve_conflict`]: Self::resolve_conflict
    #[must_use]
    pub fn with_resolver(mut self, resolver: Arc<dyn ConflictResolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// What a key is that was resolved in `view`, once the resolver was asked.
    pub(super) fn settle(
        &self,
        view: &dyn View,
        instance: InstanceId,
        tkey: &TKey,
        resolved: Resolved,
    ) -> Result<Resolved> {
        let (Some(resolver), Resolved::Conflict { versions }) = (&self.resolver, &resolved) else {
            return Ok(resolved);
        };
        let conflict = Conflict::read(view, instance, tkey, versions)?;
        let Some(choice) = resolver.choose(instance, &conflict)? else { return Ok(resolved) };
        let Side { version, value } = choice.of(&conflict, &self.current_in(view)?.dag)?;
        Ok(match value {
            Some(value) => Resolved::Found { value, version },
            None => Resolved::Deleted { version },
        })
    }

    /// Hands a key of a range on, once the resolver was asked; one that it deletes is passed over.
    pub(super) fn hand_on(
        &self,
        (view, ctx, fetch): (&dyn View, &DataContext, Fetch),
        tkey: &[u8],
        seen: Seen<'_>,
        visit: &mut dyn FnMut(&[u8], Seen<'_>) -> Result<Flow>,
    ) -> Result<Flow> {
        let Seen::Conflict { versions } = seen else { return visit(tkey, seen) };
        match self.settle(view, ctx.instance(), &TKey::from(tkey), Resolved::Conflict { versions })? {
            Resolved::Found { value, version } => {
                let value = match fetch {
                    Fetch::Entries => Value::ready(&value),
                    Fetch::Keys => Value::ready(&[]),
                };
                visit(tkey, Seen::Found { value, version })
            }
            Resolved::Conflict { versions } => visit(tkey, Seen::Conflict { versions }),
            Resolved::Deleted { .. } | Resolved::Absent => Ok(Flow::Continue(())),
        }
    }
}
