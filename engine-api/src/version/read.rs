//! Reading through the read rule: one scan for a key, one scan for a range.

use std::ops::Bound;

use super::ancestry::Ancestry;
use super::kv::Flow;
use super::resolver::{KeyResolver, MergePolicy, Offer, Resolved, two_entries};
use crate::ext::KeyRange;
use crate::key::{
    ClientId, Context, DataContext, InstanceId, Mark, SUFFIX_BYTES, Suffix, TKey, VersionId, group_end,
    group_start, group_tkey,
};
use crate::spi::{Fetch, Result, Scan, Step, Value, View, Visitor};

/// Entries of a key that are stepped over, once its answer is known, before the engine is asked to seek to
/// the next key.
const STEPS_BEFORE_SEEK: u32 = 8;

/// Resolves one key.
pub(super) fn resolve_key(
    view: &dyn View,
    ancestry: &Ancestry,
    policy: MergePolicy,
    instance: InstanceId,
    tkey: &TKey,
) -> Result<Resolved> {
    let mut start = group_start(instance, tkey.as_bytes());
    let group = start.len();
    first_entry(&mut start, ancestry.newest());
    let mut reader = PointReader {
        resolver: KeyResolver::new(ancestry, policy),
        group: &start[..group],
        target: Vec::new(),
    };
    // Without an upper bound: that an entry is another key's shows when it is compared, and a bound costs one
    // more key to make.
    view.scan(Scan::between(Bound::Included(&start), Bound::Unbounded), &mut reader)?;
    Ok(reader.resolver.finish())
}

/// Completes a group to the least key that an entry of it at `version` can have.
fn first_entry(group: &mut Vec<u8>, version: VersionId) {
    Suffix { version, client: ClientId(0), mark: Mark::Data }.write(group);
}

/// At or below every entry of the group at `version`.
fn entry_at(group: &[u8], version: VersionId) -> Vec<u8> {
    let mut key = Vec::with_capacity(group.len() + SUFFIX_BYTES);
    key.extend_from_slice(group);
    first_entry(&mut key, version);
    key
}

struct PointReader<'a> {
    resolver: KeyResolver<'a>,
    group: &'a [u8],
    target: Vec<u8>,
}

impl Visitor for PointReader<'_> {
    fn visit(&mut self, key: &[u8], value: Value<'_>) -> Result<Step<'_>> {
        if !key.starts_with(self.group) {
            return Ok(Step::Stop);
        }
        let (_, suffix) = Suffix::split(key)?;
        Ok(match self.resolver.offer(suffix.version, suffix.mark, value)? {
            Offer::More => Step::Next,
            Offer::Done => Step::Stop,
            Offer::SkipTo(version) => {
                self.target = entry_at(self.group, version);
                Step::SeekTo(&self.target)
            }
        })
    }
}

/// Resolves each key of a range, ascending, and hands on those that are visible.
pub(super) fn resolve_range(
    view: &dyn View,
    ancestry: &Ancestry,
    policy: MergePolicy,
    ctx: &DataContext,
    range: &KeyRange,
    fetch: Fetch,
    emit: &mut dyn FnMut(&TKey, Resolved) -> Result<Flow>,
) -> Result<()> {
    let full = ctx.full_range(range);
    let mut scan = full.scan();
    scan.fetch = fetch;
    let mut reader = RangeReader {
        ancestry,
        policy,
        fetch,
        emit,
        group: Vec::new(),
        resolver: None,
        latest: VersionId::default(),
        answered: 0,
        target: Vec::new(),
    };
    view.scan(scan, &mut reader)?;
    // The last key has no successor to show that its entries are all seen.
    match reader.finish_group()? {
        Flow::Continue(()) | Flow::Break(()) => Ok(()),
    }
}

struct RangeReader<'a, 'e> {
    ancestry: &'a Ancestry,
    policy: MergePolicy,
    fetch: Fetch,
    emit: &'e mut dyn FnMut(&TKey, Resolved) -> Result<Flow>,
    /// What the entries of the key at hand begin with.
    group: Vec<u8>,
    /// The key at hand; `None` once it was handed on, and before the first.
    resolver: Option<KeyResolver<'a>>,
    /// The version of the entry that was offered last.
    latest: VersionId,
    /// Entries seen of the key at hand since it was handed on.
    answered: u32,
    target: Vec<u8>,
}

impl RangeReader<'_, '_> {
    fn finish_group(&mut self) -> Result<Flow> {
        let Some(resolver) = self.resolver.take() else { return Ok(Flow::Continue(())) };
        let answer = resolver.finish();
        if !answer.is_visible() {
            return Ok(Flow::Continue(()));
        }
        (self.emit)(&group_tkey(&self.group)?, answer)
    }
}

impl Visitor for RangeReader<'_, '_> {
    fn visit(&mut self, key: &[u8], value: Value<'_>) -> Result<Step<'_>> {
        let (group, suffix) = Suffix::split(key)?;
        if group != self.group.as_slice() {
            if self.finish_group()?.is_break() {
                return Ok(Step::Stop);
            }
            self.group.clear();
            self.group.extend_from_slice(group);
            self.resolver = Some(KeyResolver::new(self.ancestry, self.policy));
            self.answered = 0;
        }
        let Some(resolver) = &mut self.resolver else {
            two_entries(self.latest, suffix.version)?;
            self.answered += 1;
            if self.answered < STEPS_BEFORE_SEEK {
                return Ok(Step::Next);
            }
            self.target = group_end(&self.group);
            return Ok(Step::SeekTo(&self.target));
        };
        let value = match self.fetch {
            Fetch::Entries => value,
            Fetch::Keys => Value::ready(&[]),
        };
        self.latest = suffix.version;
        match resolver.offer(suffix.version, suffix.mark, value)? {
            Offer::More => Ok(Step::Next),
            Offer::SkipTo(version) => {
                self.target = entry_at(&self.group, version);
                Ok(Step::SeekTo(&self.target))
            }
            Offer::Done => {
                if self.finish_group()?.is_break() {
                    return Ok(Step::Stop);
                }
                Ok(Step::Next)
            }
        }
    }
}
