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
            Self::Conflict { versions } => {
                let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
                Err(Error::new(
                    ErrorKind::Conflict,
                    "the key has several values at a merge; write or delete it to choose",
                )
                .with("versions", versions.join(", ")))
            }
        }
    }

    /// Whether a reader has something to see: a value, or values in conflict.
    pub fn is_visible(&self) -> bool {
        matches!(self, Self::Found { .. } | Self::Conflict { .. })
    }
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

/// Unseen entries that are stepped over before the engine is asked to seek past the rest.
const STEPS_BEFORE_SEEK: u32 = 8;

/// An entry of a key: the version at which it was written, and the value; `None` is a delete.
type Entry = (VersionId, Option<Bytes>);

/// Decides what one key is, from its entries in the order of their full keys.
#[derive(Debug)]
pub struct KeyResolver<'a> {
    ancestry: &'a Ancestry,
    policy: MergePolicy,
    /// Entries of which none is an ancestor of another: one, but behind a merge.
    leading: SmallVec<[Entry; 1]>,
    /// The version of the entry before; 0, which no entry has, before the first.
    last: VersionId,
    unseen: u32,
}

impl<'a> KeyResolver<'a> {
    /// For a reader, whose [`Ancestry`] must follow first parents for [`MergePolicy::FirstParent`].
    pub fn new(ancestry: &'a Ancestry, policy: MergePolicy) -> Self {
        Self { ancestry, policy, leading: SmallVec::new(), last: VersionId::default(), unseen: 0 }
    }

    /// Takes the key's next entry. The value is read only where it may be the answer.
    ///
    /// # Errors
    /// `Corrupt` when a version holds both a value and a delete; the value's own failure to be read.
    pub fn offer(&mut self, version: VersionId, mark: Mark, value: Value<'_>) -> Result<Offer> {
        two_entries(self.last, version)?;
        self.last = version;
        if !self.ancestry.sees(version) {
            return Ok(self.skip(version));
        }
        self.unseen = 0;
        for (leader, _) in &self.leading {
            if self.ancestry.precedes(version, *leader)? {
                return Ok(Offer::More);
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
            Mark::Data => Some(value.to_bytes()?),
            Mark::Tombstone => None,
        };
        self.leading.push((version, value));
        Ok(if self.ancestry.covers_below(version) { Offer::Done } else { Offer::More })
    }

    /// What the key is, once the resolver is done or there are no more entries.
    pub fn finish(mut self) -> Resolved {
        if self.leading.len() <= 1 {
            return match self.leading.pop() {
                Some((version, Some(value))) => Resolved::Found { value, version },
                Some((version, None)) => Resolved::Deleted { version },
                None => Resolved::Absent,
            };
        }
        let deleted = self.leading.iter().filter(|(_, value)| value.is_none()).map(|(id, _)| *id).max();
        let mut versions: Vec<_> =
            self.leading.iter().filter(|(_, value)| value.is_some()).map(|(id, _)| *id).collect();
        let clash = match self.policy {
            MergePolicy::Strict => self.leading.len() > 1 && !versions.is_empty(),
            MergePolicy::LiveWins | MergePolicy::FirstParent => versions.len() > 1,
        };
        if clash {
            if self.policy == MergePolicy::Strict {
                versions = self.leading.iter().map(|(id, _)| *id).collect();
            }
            versions.sort_unstable();
            return Resolved::Conflict { versions };
        }
        let found = self.leading.into_iter().find_map(|(id, value)| value.map(|value| (id, value)));
        match (found, deleted) {
            (Some((version, value)), _) => Resolved::Found { value, version },
            (None, Some(version)) => Resolved::Deleted { version },
            (None, None) => Resolved::Absent,
        }
    }

    fn skip(&mut self, version: VersionId) -> Offer {
        self.unseen += 1;
        if self.unseen < STEPS_BEFORE_SEEK {
            return Offer::More;
        }
        self.unseen = 0;
        self.ancestry.below(version).map_or(Offer::Done, Offer::SkipTo)
    }
}

/// Refuses an entry at the version of the entry before it: a value and a tombstone exclude each other.
pub(super) fn two_entries(before: VersionId, version: VersionId) -> Result<()> {
    if before == version {
        return Err(
            Error::new(ErrorKind::Corrupt, "a key has two entries at one version").with("version", version)
        );
    }
    Ok(())
}
