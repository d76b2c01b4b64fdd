//! Writes: operations that take effect together, and what must hold for them to do so.

use std::ops::Bound;

use bytes::Bytes;

use super::capabilities::{Capabilities, Conditional, DeleteRange};
use super::durability::Durability;
use super::error::{Error, ErrorKind, Result};

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Stores a value under a key, in place of the one that was there.
    Put {
        /// The key.
        key: Bytes,
        /// The value; an empty one is a value like any other.
        value: Bytes,
    },
    /// Removes a key; removing one that is absent is no error.
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Removes every key between two bounds, those put earlier in the same batch among them.
    DeleteRange {
        /// The lower bound.
        start: Bound<Bytes>,
        /// The upper bound.
        end: Bound<Bytes>,
    },
}

/// What must hold of a key for a batch to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The key isn't there.
    Absent,
    /// The key is there, whatever its value.
    Present,
    /// The key is there with this value.
    Equals(Bytes),
}

impl Expected {
    /// Whether what is stored (`None`: nothing) is as expected.
    pub fn holds(&self, stored: Option<&[u8]>) -> bool {
        match self {
            Self::Absent => stored.is_none(),
            Self::Present => stored.is_some(),
            Self::Equals(value) => stored == Some(value.as_ref()),
        }
    }
}

/// A key, and what must hold of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The key.
    pub key: Bytes,
    /// What must hold of it.
    pub expected: Expected,
}

impl Requirement {
    /// Answers [`ErrorKind::Conflict`] unless what is stored (`None`: nothing) is as expected.
    pub fn judge(&self, stored: Option<&[u8]>) -> Result<()> {
        if self.expected.holds(stored) {
            return Ok(());
        }
        let message = match self.expected {
            Expected::Absent => "a key that must be absent is there",
            Expected::Present => "a key that must be there is absent",
            Expected::Equals(_) => "a key doesn't hold the value that it must hold",
        };
        Err(Error::new(ErrorKind::Conflict, message).with_key("key", &self.key))
    }
}

/// Writes that take effect together or not at all.
///
/// Requirements are judged first, all against the state before the batch; then the operations apply in the
/// order in which they were added, so of two on one key the later one wins.
///
/// ```
/// use engine_api::WriteBatch;
///
/// let mut batch = WriteBatch::new();
/// batch.require_absent("users/ada").put("users/ada", "1815").delete("invited/ada");
/// assert_eq!((batch.ops().len(), batch.requirements().len()), (2, 1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBatch {
    requirements: Vec<Requirement>,
    ops: Vec<Op>,
    bytes: usize,
}

impl WriteBatch {
    /// A batch that does nothing yet.
    pub const fn new() -> Self {
        Self { requirements: Vec::new(), ops: Vec::new(), bytes: 0 }
    }

    /// Adds a put. A `Bytes` or `Vec<u8>` value is taken as it is, without a copy.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> &mut Self {
        let (key, value) = (Bytes::copy_from_slice(key.as_ref()), value.into());
        self.push(Op::Put { key, value })
    }

    /// Adds a delete.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> &mut Self {
        self.push(Op::Delete { key: Bytes::copy_from_slice(key.as_ref()) })
    }

    /// Adds a delete of every key between two bounds.
    pub fn delete_range(&mut self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> &mut Self {
        let (start, end) = (start.map(Bytes::copy_from_slice), end.map(Bytes::copy_from_slice));
        self.push(Op::DeleteRange { start, end })
    }

    /// Adds an operation.
    pub fn push(&mut self, op: Op) -> &mut Self {
        self.bytes += match &op {
            Op::Put { key, value } => key.len() + value.len(),
            Op::Delete { key } => key.len(),
            Op::DeleteRange { start, end } => bound_len(start) + bound_len(end),
        };
        self.ops.push(op);
        self
    }

    /// Adds a requirement.
    pub fn require(&mut self, key: impl AsRef<[u8]>, expected: Expected) -> &mut Self {
        self.requirements.push(Requirement { key: Bytes::copy_from_slice(key.as_ref()), expected });
        self
    }

    /// Requires that a key is absent.
    pub fn require_absent(&mut self, key: impl AsRef<[u8]>) -> &mut Self {
        self.require(key, Expected::Absent)
    }

    /// Requires that a key is there.
    pub fn require_present(&mut self, key: impl AsRef<[u8]>) -> &mut Self {
        self.require(key, Expected::Present)
    }

    /// Requires that a key holds `value`.
    pub fn require_equals(&mut self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> &mut Self {
        self.require(key, Expected::Equals(value.into()))
    }

    /// Adds all that `other` requires and does, after what this batch does.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.requirements.extend(other.requirements);
        self.ops.extend(other.ops);
        self.bytes += other.bytes;
        self
    }

    /// The operations, in order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The requirements.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The bytes of all keys and values that the operations carry.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the batch does and requires nothing.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.requirements.is_empty()
    }

    /// Refuses what a store with these capabilities doesn't take: the first thing that a `commit` does.
    ///
    /// # Errors
    /// - `Unsupported`: a durability, a requirement or a range delete that the store doesn't declare.
    /// - `InvalidArgument`: an empty key, where the store has none.
    /// - `TooLarge`: a key, a value, the number of operations or their bytes over the limits. A batch is
    ///   never split to fit.
    pub fn check(&self, capabilities: &Capabilities, durability: Durability) -> Result<()> {
        capabilities.durability.serve(durability)?;
        if !self.requirements.is_empty() && capabilities.conditional == Conditional::None {
            return Err(Error::new(ErrorKind::Unsupported, "the engine has no conditional commits"));
        }
        let limits = &capabilities.limits;
        for requirement in &self.requirements {
            limits.check_key(&requirement.key)?;
        }
        for op in &self.ops {
            match op {
                Op::Put { key, value } => {
                    limits.check_key(key)?;
                    limits.check_value(value)?;
                }
                Op::Delete { key } => limits.check_key(key)?,
                Op::DeleteRange { .. } if capabilities.delete_range == DeleteRange::None => {
                    return Err(Error::new(ErrorKind::Unsupported, "the engine has no range deletes"));
                }
                Op::DeleteRange { .. } => {}
            }
        }
        limits.check_batch(self.ops.len() + self.requirements.len(), self.bytes)
    }
}

fn bound_len(bound: &Bound<Bytes>) -> usize {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => key.len(),
        Bound::Unbounded => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::Limits;
    use super::*;

    const TAKES_ALL: Capabilities =
        Capabilities::MINIMAL.conditional(Conditional::Batch).delete_range(DeleteRange::PerKey);

    fn refused(batch: &WriteBatch, capabilities: Capabilities) -> Option<ErrorKind> {
        batch.check(&capabilities, Durability::Relaxed).err().map(|error| error.kind())
    }

    #[test]
    fn the_bytes_are_those_of_keys_values_and_bounds() {
        let mut batch = WriteBatch::new();
        assert!(batch.is_empty() && batch.bytes() == 0);
        batch.put("ab", "1234");
        assert_eq!(batch.bytes(), 6);
        batch.delete("abc");
        assert_eq!(batch.bytes(), 6 + 3);
        batch.delete_range(Bound::Included(b"a"), Bound::Excluded(b"abcde"));
        assert_eq!(batch.bytes(), 9 + 6);
        batch.delete_range(Bound::Unbounded, Bound::Unbounded);
        assert_eq!(batch.bytes(), 15);
        let mut other = WriteBatch::new();
        other.put("z", "").require_absent("a key that isn't counted");
        assert_eq!(other.bytes(), 1);
        batch.append(other);
        assert_eq!((batch.bytes(), batch.ops().len(), batch.requirements().len()), (16, 5, 1));
    }

    #[test]
    fn what_is_added_is_there_in_its_order() {
        let mut batch = WriteBatch::new();
        batch.put("a", "1").delete("b").delete_range(Bound::Unbounded, Bound::Included(b"c"));
        let unbounded = Op::DeleteRange { start: Bound::Unbounded, end: Bound::Included("c".into()) };
        let ops = [Op::Put { key: "a".into(), value: "1".into() }, Op::Delete { key: "b".into() }, unbounded];
        assert_eq!(batch.ops(), ops);
        batch.require_absent("d").require_present("e").require_equals("f", "2");
        let required = |key: &'static str, expected| Requirement { key: key.into(), expected };
        let requirements = [
            required("d", Expected::Absent),
            required("e", Expected::Present),
            required("f", Expected::Equals("2".into())),
        ];
        assert_eq!(batch.requirements(), requirements);
        let mut only_requires = WriteBatch::new();
        only_requires.require_present("a");
        let mut only_does = WriteBatch::new();
        only_does.delete("a");
        assert!(!only_requires.is_empty() && !only_does.is_empty());
    }

    #[test]
    fn requirements_are_judged_by_what_is_stored() {
        let judged = |expected: Expected| {
            let requirement = Requirement { key: "a".into(), expected };
            [None, Some(b"".as_slice()), Some(b"1")].map(|stored| {
                requirement.judge(stored).map_err(|error| error.kind()) != Err(ErrorKind::Conflict)
            })
        };
        assert_eq!(judged(Expected::Absent), [true, false, false]);
        assert_eq!(judged(Expected::Present), [false, true, true]);
        assert_eq!(judged(Expected::Equals("1".into())), [false, false, true]);
        assert_eq!(judged(Expected::Equals("".into())), [false, true, false]);
    }

    #[test]
    fn what_a_store_does_not_declare_is_refused() {
        let mut plain = WriteBatch::new();
        plain.put("a", "1").delete("b");
        let mut requires = WriteBatch::new();
        requires.require_absent("a");
        let mut deletes = WriteBatch::new();
        deletes.delete_range(Bound::Unbounded, Bound::Unbounded);
        for batch in [&plain, &requires, &deletes] {
            assert_eq!(refused(batch, TAKES_ALL), None);
        }
        let minimal = [&plain, &requires, &deletes].map(|batch| refused(batch, Capabilities::MINIMAL));
        assert_eq!(minimal, [None, Some(ErrorKind::Unsupported), Some(ErrorKind::Unsupported)]);
        let stronger = plain.check(&TAKES_ALL, Durability::Power).unwrap_err();
        assert_eq!(stronger.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn what_is_over_a_limit_is_refused() {
        let mut batch = WriteBatch::new();
        batch.put("ab", "12345").delete("cd").require_absent("ef").require_absent("gh").require_absent("ij");
        let within = [
            Limits::NONE.key_bytes(2),
            Limits::NONE.value_bytes(5),
            Limits::NONE.batch_ops(5),
            Limits::NONE.batch_bytes(9),
        ];
        let over = [
            Limits::NONE.key_bytes(1),
            Limits::NONE.value_bytes(4),
            Limits::NONE.batch_ops(4),
            Limits::NONE.batch_bytes(8),
        ];
        assert_eq!(within.map(|limits| refused(&batch, TAKES_ALL.limits(limits))), [None; 4]);
        let too_large = Some(ErrorKind::TooLarge);
        assert_eq!(over.map(|limits| refused(&batch, TAKES_ALL.limits(limits))), [too_large; 4]);
        let add: [fn(&mut WriteBatch); 3] = [
            |batch| _ = batch.put("abc", ""),
            |batch| _ = batch.delete("abc"),
            |batch| _ = batch.require_present("abc"),
        ];
        for add in add {
            let mut batch = WriteBatch::new();
            add(&mut batch);
            assert_eq!(refused(&batch, TAKES_ALL.limits(Limits::NONE.key_bytes(2))), too_large);
        }
    }
}
