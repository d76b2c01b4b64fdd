//! A key in conflict: its sides, a choice among them, and who makes it.

use bytes::Bytes;

use super::dag::VersionDag;
use crate::key::{Context, DataContext, InstanceId, TKey, VersionId};
use crate::spi::{Error, ErrorKind, Result, View};

/// One side of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The version that wrote it.
    pub version: VersionId,
    /// What it wrote; `None` is a delete, which is a side under [`MergePolicy::Strict`](super::MergePolicy::Strict) alone.
    pub value: Option<Bytes>,
}

/// A key in conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The key.
    pub tkey: TKey,
    /// Its sides, two at least, by ascending number of their versions.
    pub sides: Vec<Side>,
}

impl Conflict {
    /// Reads the sides of a key that was found in conflict in the same view.
    pub(super) fn read(
        view: &dyn View,
        instance: InstanceId,
        tkey: &TKey,
        versions: &[VersionId],
    ) -> Result<Self> {
        let side = |version: &VersionId| {
            let value = view.get(&DataContext::versioned(instance, *version).construct_key(tkey))?;
            Ok(Side { version: *version, value })
        };
        Ok(Self { tkey: tkey.clone(), sides: versions.iter().map(side).collect::<Result<_>>()? })
    }

    /// The side that a version sees: the one that it or an ancestor of it wrote. `None` where it sees no side,
    /// and where it sees several, as a merge does that is in conflict itself.
    ///
    /// # Errors
    /// `NotFound` when there is no such version.
    pub fn seen_by(&self, dag: &VersionDag, version: VersionId) -> Result<Option<&Side>> {
        dag.version(version)?;
        let mut seen = None;
        for side in &self.sides {
            if dag.is_ancestor(side.version, version)? && seen.replace(side).is_some() {
                return Ok(None);
            }
        }
        Ok(seen)
    }

    /// The side that the first of these versions sees that sees one.
    ///
    /// # Errors
    /// Those of [`seen_by`](Self::seen_by).
    pub fn preferred(&self, dag: &VersionDag, prefer: &[VersionId]) -> Result<Option<&Side>> {
        for version in prefer {
            if let Some(side) = self.seen_by(dag, *version)? {
                return Ok(Some(side));
            }
        }
        Ok(None)
    }
}

/// What a key in conflict is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The side that this version sees: the one that it or an ancestor of it wrote.
    Version(VersionId),
    /// A value, whatever the sides have.
    Value(Bytes),
    /// Deleted.
    Delete,
}

impl Choice {
    /// What is chosen. What no side wrote is given the number of the last side.
    pub(super) fn of(self, conflict: &Conflict, dag: &VersionDag) -> Result<Side> {
        let last = conflict.sides.last().map(|side| side.version).unwrap_or_default();
        match self {
            Self::Version(version) => conflict.seen_by(dag, version)?.cloned().ok_or_else(|| {
                let sides: Vec<_> = conflict.sides.iter().map(|side| side.version.to_string()).collect();
                Error::new(ErrorKind::InvalidArgument, "the version has no side, or several, in the conflict")
                    .with("version", version)
                    .with("sides", sides.join(", "))
                    .with_key("key", conflict.tkey.as_bytes())
            }),
            Self::Value(value) => Ok(Side { version: last, value: Some(value) }),
            Self::Delete => Ok(Side { version: last, value: None }),
        }
    }
}

/// Settles conflicts by the rules of an application; see [`Versioned::with_resolver`](super::Versioned::with_resolver).
///
/// Closures that take the same are resolvers.
///
/// # Contract
/// - It is deterministic: for one conflict it makes one choice, always and everywhere. What is read at a
///   committed version would change otherwise, and two processes would read two things.
/// - It is called in the middle of reads, by several threads at once; it doesn't write to the store.
pub trait ConflictResolver: Send + Sync {
    /// What the key is to be; `None` leaves it in conflict.
    ///
    /// # Errors
    /// Whatever it answers ends the read, and is the read's answer.
    fn choose(&self, instance: InstanceId, conflict: &Conflict) -> Result<Option<Choice>>;
}

impl<F> ConflictResolver for F
where
    F: Fn(InstanceId, &Conflict) -> Result<Option<Choice>> + Send + Sync,
{
    fn choose(&self, instance: InstanceId, conflict: &Conflict) -> Result<Option<Choice>> {
        self(instance, conflict)
    }
}
