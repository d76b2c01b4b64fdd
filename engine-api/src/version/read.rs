//! Reading through the read rule: one scan for a key, one scan for a range.

use std::ops::{Bound, Range};

use super::ancestry::Ancestry;
use super::kv::{Flow, Seen};
use super::resolver::{Decided, Leaders, MergePolicy, Offer, Skips, two_entries};
use crate::ext::KeyRange;
use crate::key::{
    ClientId, Context, DataContext, InstanceId, Mark, SUFFIX_BYTES, Suffix, TKey, VersionId, group_start,
    group_tkey, write_group_end,
};
use crate::spi::{Fetch, Result, Scan, Step, Value, View, Visitor};

/// Resolves one key. Of the value of an entry that may be the answer `hold` makes what is held; it is told
/// whether the entry is the answer.
pub(super) fn resolve_key<V>(
    view: &dyn View,
    ancestry: &Ancestry,
    policy: MergePolicy,
    (instance, tkey): (InstanceId, &TKey),
    hold: impl FnMut(Value<'_>, bool) -> Result<V>,
) -> Result<Decided<V>> {
    let mut start = group_start(instance, tkey.as_bytes());
    let group = start.len();
    start.extend_from_slice(&first_suffix(ancestry.newest()));
    let mut reader = PointReader {
        ancestry,
        leaders: Leaders::new(ancestry),
        hold,
        group: &start[..group],
        last: VersionId::default(),
        skips: Skips::PATIENT,
        decided: None,
        target: Vec::new(),
    };
    // Without an upper bound: that an entry is another key's shows when it is compared, and a bound costs one
    // more key to make.
    view.scan(Scan::between(Bound::Included(&start), Bound::Unbounded), &mut reader)?;
    Ok(reader.decided.unwrap_or_else(|| reader.leaders.decide(policy)))
}

/// What the least key ends in that an entry at `version` can have.
fn first_suffix(version: VersionId) -> [u8; SUFFIX_BYTES] {
    Suffix { version, client: ClientId(0), mark: Mark::Data }.to_bytes()
}

/// Writes what is at or below every entry of the group at `version`.
fn entry_at(group: &[u8], version: VersionId, key: &mut Vec<u8>) {
    key.clear();
    key.extend_from_slice(group);
    key.extend_from_slice(&first_suffix(version));
}

struct PointReader<'a, V, H> {
    ancestry: &'a Ancestry,
    leaders: Leaders<'a, V>,
    hold: H,
    group: &'a [u8],
    /// The version of the entry before; 0, which no entry has, before the first.
    last: VersionId,
    skips: Skips,
    /// The answer, where one entry alone gives it.
    decided: Option<Decided<V>>,
    target: Vec<u8>,
}

impl<V, H: FnMut(Value<'_>, bool) -> Result<V>> Visitor for PointReader<'_, V, H> {
    fn visit(&mut self, key: &[u8], value: Value<'_>) -> Result<Step<'_>> {
        if !key.starts_with(self.group) {
            return Ok(Step::Stop);
        }
        let (_, Suffix { version, mark, .. }) = Suffix::split(key)?;
        two_entries(self.last, version)?;
        self.last = version;
        if !self.ancestry.sees(version) {
            return Ok(match self.skips.pass(self.ancestry, version) {
                Offer::More => Step::Next,
                Offer::Done => Step::Stop,
                Offer::SkipTo(version) => {
                    entry_at(self.group, version, &mut self.target);
                    Step::SeekTo(&self.target)
                }
            });
        }
        if self.leaders.decides(version) {
            self.decided = Some(match mark {
                Mark::Data => Decided::Found { value: (self.hold)(value, true)?, version },
                Mark::Tombstone => Decided::Deleted { version },
            });
            return Ok(Step::Stop);
        }
        let done = self.leaders.add(version, mark, || (self.hold)(value, false))?;
        Ok(if done { Step::Stop } else { Step::Next })
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
    emit: &mut dyn FnMut(&[u8], Seen<'_>) -> Result<Flow>,
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
        answered: true,
        leaders: Leaders::new(ancestry),
        values: Vec::new(),
        last: VersionId::default(),
        pace: Pace::default(),
        skips: Skips::EAGER,
        target: Vec::new(),
    };
    view.scan(scan, &mut reader)?;
    // The last key has no successor to show that its entries are all seen.
    reader.finish_group().map(drop)
}

/// Entries of a key that are stepped over before the engine is asked to seek. Between six and fifteen, as
/// engines go, a seek is the cheaper one.
const STEPS_BEFORE_SEEK: u32 = 12;
/// For how many keys entries are sought, once a key had too many to step over; twice as many each time that
/// the key behind them has too many again.
const FIRST_RUN: u32 = 16;
const LONGEST_RUN: u32 = 1024;

/// From so many bytes on, what follows a value is sought past at once: an engine that keeps values beside their
/// keys reads each that it steps over, and beside reading this one a seek is little.
const SEEK_PAST: usize = 256 << 10;

/// Whether the entries of a key that are of no use are stepped over or sought past, which is foretold from
/// the keys before it: neighbours have mostly been written alike.
#[derive(Debug)]
struct Pace {
    /// Entries of the key at hand that were of no use.
    steps: u32,
    /// Keys that are still to be sought, the one at hand among them.
    seeking: u32,
    /// How many there will be the next time.
    run: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { steps: 0, seeking: 0, run: FIRST_RUN }
    }
}

impl Pace {
    fn next_key(&mut self) {
        if self.seeking > 0 {
            self.seeking -= 1;
        } else {
            self.run = FIRST_RUN;
        }
        self.steps = 0;
    }

    /// Whether to seek past what follows an entry that is of no use.
    #[inline]
    fn seeks(&mut self) -> bool {
        self.steps += 1;
        if self.seeking == 0 && self.steps >= STEPS_BEFORE_SEEK {
            // One more than the run, for the key at hand.
            self.seeking = self.run + 1;
            self.run = (self.run * 2).min(LONGEST_RUN);
        }
        self.seeking > 0
    }
}

struct RangeReader<'a, 'e> {
    ancestry: &'a Ancestry,
    policy: MergePolicy,
    fetch: Fetch,
    emit: &'e mut dyn FnMut(&[u8], Seen<'_>) -> Result<Flow>,
    /// What the entries of the key at hand begin with.
    group: Vec<u8>,
    /// Whether the key at hand was handed on, or needn't be.
    answered: bool,
    /// What leads, of the key at hand, where no entry decides alone; and its values.
    leaders: Leaders<'a, Range<usize>>,
    values: Vec<u8>,
    /// The version of the entry before, of the key at hand; 0, which no entry has, before the first.
    last: VersionId,
    pace: Pace,
    skips: Skips,
    target: Vec<u8>,
}

impl RangeReader<'_, '_> {
    /// Hands on the key at hand, having seen all of its entries that matter.
    fn finish_group(&mut self) -> Result<Flow> {
        if self.answered {
            return Ok(Flow::Continue(()));
        }
        self.answered = true;
        let seen = match self.leaders.decide(self.policy) {
            Decided::Found { value, version } => {
                Seen::Found { value: Value::ready(&self.values[value]), version }
            }
            Decided::Conflict { versions } => Seen::Conflict { versions },
            Decided::Deleted { .. } | Decided::Absent => return Ok(Flow::Continue(())),
        };
        (self.emit)(&group_tkey(&self.group)?, seen)
    }

    fn begin_group(&mut self, group: &[u8]) {
        self.group.clear();
        self.group.extend_from_slice(group);
        self.answered = false;
        self.values.clear();
        self.last = VersionId::default();
        self.pace.next_key();
        self.skips = Skips::EAGER;
    }

    /// Past an entry behind the answer.
    fn pass_rest(&mut self) -> Step<'_> {
        if self.pace.seeks() { self.pass_group() } else { Step::Next }
    }

    /// Past all entries of the key at hand.
    fn pass_group(&mut self) -> Step<'_> {
        write_group_end(&self.group, &mut self.target);
        Step::SeekTo(&self.target)
    }

    /// Past an entry at a version that isn't seen.
    fn pass_unseen(&mut self, version: VersionId) -> Step<'_> {
        if !self.pace.seeks() {
            return Step::Next;
        }
        match self.skips.pass(self.ancestry, version) {
            Offer::More => return Step::Next,
            Offer::SkipTo(version) => entry_at(&self.group, version, &mut self.target),
            Offer::Done => write_group_end(&self.group, &mut self.target),
        }
        Step::SeekTo(&self.target)
    }
}

/// Whether two groups differ. Neighbours mostly do so in their last bytes, which are compared first.
#[inline]
fn differ(one: &[u8], other: &[u8]) -> bool {
    one.last_chunk::<12>() != other.last_chunk::<12>() || one != other
}

impl Visitor for RangeReader<'_, '_> {
    fn visit(&mut self, key: &[u8], value: Value<'_>) -> Result<Step<'_>> {
        let (group, Suffix { version, mark, .. }) = Suffix::split(key)?;
        if differ(group, &self.group) {
            if self.finish_group()?.is_break() {
                return Ok(Step::Stop);
            }
            self.begin_group(group);
        }
        two_entries(self.last, version)?;
        self.last = version;
        if self.answered {
            return Ok(self.pass_rest());
        }
        if !self.ancestry.sees(version) {
            return Ok(self.pass_unseen(version));
        }
        let value = match self.fetch {
            Fetch::Entries => value,
            Fetch::Keys => Value::ready(&[]),
        };
        if self.leaders.decides(version) {
            self.answered = true;
            let large = value.ready_len().is_some_and(|bytes| bytes >= SEEK_PAST);
            if mark == Mark::Data
                && (self.emit)(&group_tkey(group)?, Seen::Found { value, version })?.is_break()
            {
                return Ok(Step::Stop);
            }
            return Ok(if large { self.pass_group() } else { Step::Next });
        }
        let values = &mut self.values;
        let done = self.leaders.add(version, mark, || {
            let start = values.len();
            values.extend_from_slice(value.bytes()?);
            Ok(start..values.len())
        })?;
        if done && self.finish_group()?.is_break() {
            return Ok(Step::Stop);
        }
        Ok(Step::Next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many entries of a key are stepped over before what is left is sought past.
    fn steps(pace: &mut Pace, entries: usize) -> usize {
        pace.next_key();
        (0..entries).take_while(|_| !pace.seeks()).count()
    }

    #[test]
    fn keys_behind_one_of_many_entries_are_sought_at_once() {
        let mut pace = Pace::default();
        for run in [16, 32, 64, 128, 256, 512, 1024, 1024] {
            assert_eq!(steps(&mut pace, 100), 11, "before a run of {run}");
            assert!((0..run).all(|_| steps(&mut pace, 100) == 0), "in a run of {run}");
        }
        // A key of few entries is a sign that those behind it have few too.
        assert_eq!(steps(&mut pace, 11), 11);
        for run in [16, 32] {
            assert_eq!(steps(&mut pace, 100), 11, "before a run of {run}");
            assert!((0..run).all(|_| steps(&mut pace, 100) == 0), "in a run of {run}");
        }
    }

    #[test]
    fn groups_differ_wherever_their_bytes_do() {
        for length in 1..40_u8 {
            let group: Vec<_> = (0..length).collect();
            assert!(!differ(&group, &group.clone()) && differ(&group, &group[1..]), "{length}");
            for at in 0..group.len() {
                let mut other = group.clone();
                other[at] ^= 0x80;
                assert!(differ(&group, &other), "{length} bytes, at {at}");
            }
        }
    }
}
