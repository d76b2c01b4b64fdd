//! Choosing a side of a conflict, by writing it at an open version. Nothing above is rewritten.

use std::ops::{Bound, ControlFlow};

use bytes::Bytes;

use super::conflicts::{Choice, Conflict};
use super::dag::VersionDag;
use super::list_conflicts::visit_conflicts;
use super::read::resolve_key;
use super::resolver::{Decided, Resolved};
use super::target::Target;
use super::versioned::Versioned;
use super::write::{delete, put, require, writing};
use crate::ext::KeyRange;
use crate::key::{DataContext, InstanceId, TKey, VersionId};
use crate::spi::{Error, ErrorKind, Result, Store, WriteBatch};

/// The most keys that one batch resolves.
const KEYS_AT_ONCE: usize = 1024;
/// Bytes of writes at which a batch ends early.
const BYTES_AT_ONCE: usize = 1 << 20;

/// How many conflicts were resolved, and how many are left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Keys for which a side was written.
    pub resolved: u64,
    /// Keys that are in conflict still, for no preferred version sees exactly one side.
    pub left: u64,
}

impl<S: Store> Versioned<S> {
    /// Resolves a key's conflict at an open version, for it and what descends from it.
    ///
    /// # Errors
    /// `NotFound` when the key isn't in conflict there; `InvalidArgument` when the chosen version sees no side
    /// or several; `ReadOnly` when the version is committed; `Conflict` when the key was written meanwhile.
    pub fn resolve_conflict(&self, ctx: &DataContext, tkey: &TKey, choice: Choice) -> Result<()> {
        let target = self.place(ctx)?;
        let ancestry = target.ancestry()?;
        let mut batch = writing(&target)?;
        let view = self.store.view()?;
        let key = (ctx.instance(), tkey);
        let decided = resolve_key(&*view, &ancestry, self.policy(), key, |_, _| Ok(()))?;
        let Decided::Conflict { versions } = &decided else {
            return Err(Error::new(ErrorKind::NotFound, "the key isn't in conflict at this version")
                .with_key("key", tkey.as_bytes()));
        };
        let conflict = Conflict::read(&*view, ctx.instance(), tkey, versions)?;
        let chosen = choice.of(&conflict, &self.current()?.dag)?;
        write(&mut batch, &target, &conflict, chosen.value);
        self.finish(&target, &batch)
    }

    /// Resolves every conflict of a range at an open version: of each key the side is written that the first of
    /// the preferred versions sees, and a key of which none sees exactly one side is left.
    ///
    /// It is done in pieces, each one batch. What was cut short is gone on with by doing it again.
    ///
    /// # Errors
    /// `ReadOnly` when the version is committed; `NotFound` when there is no such version; what the store answers.
    pub fn resolve_conflicts(
        &self,
        instance: InstanceId,
        version: VersionId,
        prefer: &[VersionId],
        range: &KeyRange,
    ) -> Result<Settled> {
        let ctx = DataContext::versioned(instance, version);
        let dag = self.dag()?;
        prefer.iter().try_for_each(|preferred| dag.version(*preferred).map(drop))?;
        let mut settled = Settled::default();
        let mut rest = Some(range.clone());
        while let Some(range) = rest.take() {
            match self.resolve_piece(&ctx, &dag, prefer, &range) {
                Ok((piece, then)) => {
                    settled.resolved += piece.resolved;
                    settled.left += piece.left;
                    rest = then;
                }
                // A key of the piece was written by another meanwhile, and so isn't in conflict any more.
                Err(error) if error.kind() == ErrorKind::Conflict => rest = Some(range),
                Err(error) => return Err(error),
            }
        }
        Ok(settled)
    }

    /// Resolves the first conflicts of a range in one batch, and answers what is left of the range.
    fn resolve_piece(
        &self,
        ctx: &DataContext,
        dag: &VersionDag,
        prefer: &[VersionId],
        range: &KeyRange,
    ) -> Result<(Settled, Option<KeyRange>)> {
        let target = self.place(ctx)?;
        let ancestry = target.ancestry()?;
        let mut batch = writing(&target)?;
        let limits = self.store.capabilities().limits;
        let most_ops = limits.batch_ops.unwrap_or(usize::MAX).min(2 * KEYS_AT_ONCE);
        let most_bytes = limits.batch_bytes.map_or(BYTES_AT_ONCE, |bytes| BYTES_AT_ONCE.min(bytes / 2));
        let mut piece = Settled::default();
        let mut last = None;
        let view = self.store.view()?;
        let mut take = |conflict: Conflict| {
            let Some(side) = conflict.preferred(dag, prefer)? else {
                piece.left += 1;
                return Ok(ControlFlow::Continue(()));
            };
            piece.resolved += 1;
            write(&mut batch, &target, &conflict, side.value.clone());
            // Each key takes two operations.
            if batch.ops().len() + 2 <= most_ops && batch.bytes() < most_bytes {
                return Ok(ControlFlow::Continue(()));
            }
            last = Some(conflict.tkey);
            Ok(ControlFlow::Break(()))
        };
        visit_conflicts(&*view, &ancestry, self.policy(), ctx, range, &mut take)?;
        drop(view);
        if piece.resolved > 0 {
            self.finish(&target, &batch)?;
        }
        let rest = last.map(|last| {
            let after = Bound::Excluded(last.as_bytes().to_vec());
            KeyRange::between(after, range.end().map(<[u8]>::to_vec))
        });
        Ok((piece, rest))
    }
}

/// Adds what was chosen to a batch, which fails when the key was written since the conflict was read.
fn write(batch: &mut WriteBatch, target: &Target, conflict: &Conflict, value: Option<Bytes>) {
    let versions = conflict.sides.iter().map(|side| side.version).collect();
    require(batch, target, &conflict.tkey, &Resolved::Conflict { versions });
    match value {
        Some(value) => put(batch, target, &conflict.tkey, value),
        None => delete(batch, target, &conflict.tkey),
    }
}
