//! One pass over the stored entries of an instance: page by page, and what is found is changed on the way.
//!
//! A page is read from a view of its own, which is dropped before anything is written, so a pass needs no
//! snapshot, and holds up no engine that keeps what views see.

use std::ops::Bound;

use super::versioned::Versioned;
use crate::ext::{StoreExt, ViewExt};
use crate::key::{Context, DataContext, InstanceId, Suffix, group_end};
use crate::spi::{ErrorKind, Limits, Result, Scan, Step, Store, Value, Visitor, WriteBatch};

/// The most operations of one batch, and the changes at which a page ends.
const OPS_AT_ONCE: usize = 4096;
/// The bytes of a batch, and of a page's changes, at which it ends.
const BYTES_AT_ONCE: usize = 4 << 20;
/// The entries at which a page ends though little is to be changed, so that its view isn't held for long.
const ENTRIES_AT_ONCE: u64 = 1 << 16;

/// How far a pass has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Entries that were looked at.
    pub seen: u64,
    /// Entries that there are fewer.
    pub entries: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
}

/// What is told of a pass after each of its pages; an error from it ends the pass.
pub type Watch<'a> = dyn FnMut(&Swept) -> Result<()> + 'a;

/// A change that is made whole or not at all, and what it saves.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) batch: WriteBatch,
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// What a pass does about each key.
pub(super) trait Sweep {
    /// Takes the next entry of the key at hand.
    fn offer(&mut self, suffix: Suffix, key_bytes: usize, value: Value<'_>) -> Result<()>;

    /// Ends the key at hand: adds the changes that it needs, in the order in which they are to be made.
    fn end(&mut self, group: &[u8], pieces: &mut Vec<Piece>) -> Result<()>;
}

/// What must be there for a pass to change anything.
pub(super) type Guards<'a> = &'a [Vec<u8>];

impl<S: Store> Versioned<S> {
    /// Makes one pass. Without `guards` nothing is written, and what would be saved is counted.
    ///
    /// A batch of it requires that the guards are there. Once one is gone, what the pass was for is done or
    /// gone too, and it ends.
    pub(super) fn pass(
        &self,
        instance: InstanceId,
        guards: Option<Guards<'_>>,
        sweep: &mut dyn Sweep,
        swept: &mut Swept,
        watch: &mut Watch<'_>,
    ) -> Result<()> {
        let range = DataContext::unversioned(instance).key_range();
        let mut from = range.start().map(<[u8]>::to_vec);
        loop {
            let mut page = Page::new(sweep);
            let start = from.as_ref().map(Vec::as_slice);
            self.store.view()?.scan(Scan::between(start, range.end()), &mut page)?;
            page.end_key()?;
            let Page { pieces, seen, group, full, .. } = page;
            match guards {
                None => pieces.iter().for_each(|piece| count(swept, piece)),
                Some(guards) => {
                    if !self.make(pieces, guards, swept)? {
                        let view = self.store.view()?;
                        for guard in guards {
                            if !view.exists(guard)? {
                                return Ok(());
                            }
                        }
                        // Another has changed what the page was read from, so it is read again.
                        continue;
                    }
                }
            }
            swept.seen += seen;
            watch(swept)?;
            if !full {
                return Ok(());
            }
            from = Bound::Included(group_end(&group));
        }
    }

    /// Makes changes in batches, in their order; answers whether all of them could be made.
    fn make(&self, pieces: Vec<Piece>, guards: Guards<'_>, swept: &mut Swept) -> Result<bool> {
        let limits = self.store.capabilities().limits;
        let mut pieces = pieces.into_iter().peekable();
        while pieces.peek().is_some() {
            let mut batch = WriteBatch::new();
            for guard in guards {
                batch.require_present(guard);
            }
            let mut saved = Swept::default();
            // A piece that is too large by itself is the store's to refuse.
            while let Some(piece) =
                pieces.next_if(|next| batch.ops().is_empty() || fits(&limits, &batch, &next.batch))
            {
                count(&mut saved, &piece);
                batch.append(piece.batch);
            }
            match self.store.write(&batch) {
                Ok(()) => {
                    swept.entries += saved.entries;
                    swept.bytes += saved.bytes;
                }
                Err(error) if error.kind() == ErrorKind::Conflict => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn fits(limits: &Limits, batch: &WriteBatch, more: &WriteBatch) -> bool {
    let size = |batch: &WriteBatch| batch.ops().len() + batch.requirements().len();
    let (ops, bytes) = (size(batch) + size(more), batch.bytes() + more.bytes());
    ops <= OPS_AT_ONCE && bytes <= BYTES_AT_ONCE && limits.check_batch(ops, bytes).is_ok()
}

fn count(swept: &mut Swept, piece: &Piece) {
    swept.entries += piece.entries;
    swept.bytes += piece.bytes;
}

struct Page<'a> {
    sweep: &'a mut dyn Sweep,
    /// What the entries of the key at hand begin with; empty before the first.
    group: Vec<u8>,
    open: bool,
    pieces: Vec<Piece>,
    weighed: usize,
    bytes: usize,
    seen: u64,
    full: bool,
}

impl<'a> Page<'a> {
    fn new(sweep: &'a mut dyn Sweep) -> Self {
        Self {
            sweep,
            group: Vec::new(),
            open: false,
            pieces: Vec::new(),
            weighed: 0,
            bytes: 0,
            seen: 0,
            full: false,
        }
    }

    fn end_key(&mut self) -> Result<()> {
        if !self.open {
            return Ok(());
        }
        self.open = false;
        self.sweep.end(&self.group, &mut self.pieces)?;
        self.bytes += self.pieces[self.weighed..].iter().map(|piece| piece.batch.bytes()).sum::<usize>();
        self.weighed = self.pieces.len();
        Ok(())
    }
}

impl Visitor for Page<'_> {
    fn visit(&mut self, key: &[u8], value: Value<'_>) -> Result<Step<'_>> {
        let (group, suffix) = Suffix::split(key)?;
        if !self.open || group != self.group.as_slice() {
            self.end_key()?;
            self.full = self.pieces.len() >= OPS_AT_ONCE
                || self.bytes >= BYTES_AT_ONCE
                || self.seen >= ENTRIES_AT_ONCE;
            if self.full {
                return Ok(Step::Stop);
            }
            self.group.clear();
            self.group.extend_from_slice(group);
            self.open = true;
        }
        self.seen += 1;
        self.sweep.offer(suffix, key.len(), value)?;
        Ok(Step::Next)
    }
}

/// The full key of an entry.
pub(super) fn entry_key(group: &[u8], suffix: Suffix) -> Vec<u8> {
    [group, &suffix.to_bytes()].concat()
}
