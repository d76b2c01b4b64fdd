//! The read rule, without any I/O: entries of a key are offered newest first, and it says when to stop.

use bytes::Bytes;
use smallvec::SmallVec;

use super::ancestry::Ancestry;
use crate::key::{Mark, VersionId};
use crate::spi::{Error, ErrorKind, Result, Value};

/// What to make of several entries of which none is an ancestor of another, at a merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MergePolicy {
    /// A value wins over a delete; two values are a conflict. DVID's rule.
    #[default]
    LiveWins,
    /// A value beside a delete is a conflict too.
    Strict,
    /// Only the first parent of each merge is looked at, so there are no conflicts.
    FirstParent,
}

/// What a key is at a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It has a value.
    Found {
        /// The value; empty where keys alone were asked for.
        value: Bytes,
        /// The version at which it was written.
        version: VersionId,
    },
    /// It was deleted.
    Deleted {
        /// The version at which it was deleted.
        version: VersionId,
    },
    /// It was never written.
    Absent,
    /// It has several values that no version has chosen between.
    Conflict {
        /// The versions at which they were written, by ascending number.
        versions: Vec<VersionId>,
    },
}

impl Resolved {
    /// The value, or `None` where there is none.
    ///
    /// # Errors
    /// `Conflict` names the versions.
    pub fn into_value(self) -> Result<Option<Bytes>> {
        match self {
            Self::Found { value, .. } => Ok(Some(value)),
            Self::Deleted { .. } | Self::Absent => Ok(None),
            Self::Conflict { versions } => Err(conflict(&versions)),
        }
    }

    /// Whether a reader has something to see: a value, or values in conflict.
    pub fn is_visible(&self) -> bool {
        matches!(self, Self::Found { .. } | Self::Conflict { .. })
    }
}

/// What is answered where one value was asked for and there are several.
#[cold]
pub(super) fn conflict(versions: &[VersionId]) -> Error {
    let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
    Error::new(ErrorKind::Conflict, "the key has several values at a merge; write or delete it to choose")
        .with("versions", versions.join(", "))
}

/// What the resolver asks for, having been offered an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The next entry of the key.
    More,
    /// The first entry of the key at this version or a lower one: those between are of no use.
    SkipTo(VersionId),
    /// Nothing: the answer is known.
    Done,
}

/// An entry that leads: the version at which it was written, and what is held of its value; `None` is a
/// delete.
type Leader<V> = (VersionId, Option<V>);

/// The read rule over entries that the reader sees, whatever is held of their values.
#[derive(Debug)]
pub(super) struct Leaders<'a, V> {
    ancestry: &'a Ancestry,
    /// Entries of which none is an ancestor of another: one, but behind a merge.
    leading: SmallVec<[Leader<V>; 1]>,
}

impl<'a, V> Leaders<'a, V> {
    pub(super) fn new(ancestry: &'a Ancestry) -> Self {
        Self { ancestry, leading: SmallVec::new() }
    }

    /// Whether an entry at `version` is the answer, whatever follows it. Then there is no need to add it.
    #[inline]
    pub(super) fn decides(&self, version: VersionId) -> bool {
        self.leading.is_empty() && self.ancestry.covers_below(version)
    }

    /// Takes the key's next entry that is seen, and answers whether those that follow are of no use. Of the
    /// value of one that leads `hold` makes what is held.
    pub(super) fn add(
        &mut self,
        version: VersionId,
        mark: Mark,
        hold: impl FnOnce() -> Result<V>,
    ) -> Result<bool> {
        // Where it covers what follows, that comes before it, and so before whatever it comes before.
        let done = self.ancestry.covers_below(version);
        for (leader, _) in &self.leading {
            if self.ancestry.precedes(version, *leader)? {
                return Ok(done);
            }
        }
        if !self.ancestry.is_ascending() {
            let mut kept = SmallVec::with_capacity(self.leading.len() + 1);
            for (leader, value) in self.leading.drain(..) {
                if !self.ancestry.precedes(leader, version)? {
                    kept.push((leader, value));
                }
            }
            self.leading = kept;
        }
        let value = match mark {
            Mark::Data => Some(hold()?),
            Mark::Tombstone => None,
        };
        self.leading.push((version, value));
        Ok(done)
    }

    /// What the key is, once there are no more entries that matter. It forgets them.
    pub(super) fn decide(&mut self, policy: MergePolicy) -> Decided<V> {
        if self.leading.len() <= 1 {
            return match self.leading.pop() {
                Some((version, Some(value))) => Decided::Found { value, version },
                Some((version, None)) => Decided::Deleted { version },
                None => Decided::Absent,
            };
        }
        let deleted = self.leading.iter().filter(|(_, value)| value.is_none()).map(|(id, _)| *id).max();
        let mut versions: Vec<_> =
            self.leading.iter().filter(|(_, value)| value.is_some()).map(|(id, _)| *id).collect();
        let clash = match policy {
            MergePolicy::Strict => !versions.is_empty(),
            MergePolicy::LiveWins | MergePolicy::FirstParent => versions.len() > 1,
        };
        if clash {
            if policy == MergePolicy::Strict {
                versions = self.leading.iter().map(|(id, _)| *id).collect();
            }
            self.leading.clear();
            versions.sort_unstable();
            return Decided::Conflict { versions };
        }
        let found = self.leading.drain(..).find_map(|(id, value)| value.map(|value| (id, value)));
        match (found, deleted) {
            (Some((version, value)), _) => Decided::Found { value, version },
            (None, Some(version)) => Decided::Deleted { version },
            (None, None) => Decided::Absent,
        }
    }
}

/// A [`Resolved`] that holds of a value what its reader wants.
#[derive(Debug)]
pub(super) enum Decided<V> {
    Found { value: V, version: VersionId },
    Deleted { version: VersionId },
    Absent,
    Conflict { versions: Vec<VersionId> },
}

impl From<Decided<Bytes>> for Resolved {
    fn from(decided: Decided<Bytes>) -> Self {
        match decided {
            Decided::Found { value, version } => Self::Found { value, version },
            Decided::Deleted { version } => Self::Deleted { version },
            Decided::Absent => Self::Absent,
            Decided::Conflict { versions } => Self::Conflict { versions },
        }
    }
}

/// When to seek past entries that aren't seen, rather than to step over them.
///
/// A seek costs as much as eight steps or more, and may skip nothing. So the steps that are taken before a
/// seek double with each, and reading a key never costs much more than stepping over all of its entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Skips {
    budget: u32,
    stepped: u32,
}

const FIRST_BUDGET: u32 = 4;
const LARGEST_BUDGET: u32 = 64;
/// The fewest versions between two that can hold entries enough for a seek to pay.
const LEAST_GAP: u32 = 8;

impl Skips {
    /// Steps first: most keys have few entries.
    pub(super) const PATIENT: Self = Self { budget: FIRST_BUDGET, stepped: 0 };
    /// Seeks first: this key, or those before it, had many.
    pub(super) const EAGER: Self = Self { budget: 0, stepped: 0 };

    /// What to do about an entry at a version that isn't seen.
    pub(super) fn pass(&mut self, ancestry: &Ancestry, version: VersionId) -> Offer {
        self.stepped += 1;
        if self.stepped <= self.budget {
            return Offer::More;
        }
        let Some(below) = ancestry.below(version) else { return Offer::Done };
        if version.0 - below.0 <= LEAST_GAP {
            return Offer::More;
        }
        self.stepped = 0;
        self.budget = (self.budget * 2).clamp(FIRST_BUDGET, LARGEST_BUDGET);
        Offer::SkipTo(below)
    }
}

/// Decides what one key is, from its entries in the order of their full keys.
#[derive(Debug)]
pub struct KeyResolver<'a> {
    policy: MergePolicy,
    leaders: Leaders<'a, Bytes>,
    /// The version of the entry before; 0, which no entry has, before the first.
    last: VersionId,
    skips: Skips,
}

impl<'a> KeyResolver<'a> {
    /// For a reader, whose [`Ancestry`] must follow first parents for [`MergePolicy::FirstParent`].
    pub fn new(ancestry: &'a Ancestry, policy: MergePolicy) -> Self {
        Self { policy, leaders: Leaders::new(ancestry), last: VersionId::default(), skips: Skips::PATIENT }
    }

    /// Takes the key's next entry. The value is read only where it may be the answer.
    ///
    /// # Errors
    /// `Corrupt` when a version holds both a value and a delete; the value's own failure to be read.
    pub fn offer(&mut self, version: VersionId, mark: Mark, value: Value<'_>) -> Result<Offer> {
        two_entries(self.last, version)?;
        self.last = version;
        let ancestry = self.leaders.ancestry;
        if !ancestry.sees(version) {
            return Ok(self.skips.pass(ancestry, version));
        }
        let done = self.leaders.add(version, mark, || value.to_bytes())?;
        Ok(if done { Offer::Done } else { Offer::More })
    }

    /// What the key is, once the resolver is done or there are no more entries.
    pub fn finish(mut self) -> Resolved {
        self.leaders.decide(self.policy).into()
    }
}

/// Refuses an entry at the version of the entry before it: a value and a tombstone exclude each other.
#[inline]
pub(super) fn two_entries(before: VersionId, version: VersionId) -> Result<()> {
    if before == version { Err(twice(version)) } else { Ok(()) }
}

#[cold]
fn twice(version: VersionId) -> Error {
    Error::new(ErrorKind::Corrupt, "a key has two entries at one version").with("version", version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::ancestry::tests::line;

    /// The offers for so many entries at `version`, which isn't seen.
    fn offers(mut skips: Skips, ancestry: &Ancestry, version: u32, count: usize) -> Vec<Offer> {
        (0..count).map(|_| skips.pass(ancestry, VersionId(version))).collect()
    }

    /// How many entries are stepped over before each seek.
    fn steps(offers: &[Offer]) -> Vec<usize> {
        offers.split(|offer| matches!(offer, Offer::SkipTo(_))).map(<[_]>::len).collect()
    }

    #[test]
    fn steps_before_a_seek_double_up_to_a_bound() {
        let ancestry = line(&[1, 1000]);
        let patient = offers(Skips::PATIENT, &ancestry, 500, 4 + 8 + 16 + 32 + 64 + 64 + 6);
        assert_eq!(steps(&patient), [4, 8, 16, 32, 64, 64, 0]);
        assert!(patient.contains(&Offer::SkipTo(VersionId(1))));
        let eager = offers(Skips::EAGER, &ancestry, 500, 4 + 8 + 3);
        assert_eq!(steps(&eager), [0, 4, 8, 0]);
    }

    #[test]
    fn a_few_versions_are_not_worth_a_seek_and_below_the_last_is_the_end() {
        let ancestry = line(&[100, 1000]);
        for version in 101..=108 {
            assert_eq!(offers(Skips::EAGER, &ancestry, version, 1), [Offer::More], "{version}");
        }
        assert_eq!(offers(Skips::EAGER, &ancestry, 109, 1), [Offer::SkipTo(VersionId(100))]);
        assert_eq!(offers(Skips::EAGER, &ancestry, 99, 1), [Offer::Done]);
    }
}
