//! Reading a range: what is asked for, what is visited, and where to go next.

use std::fmt;
use std::ops::Bound;

use bytes::Bytes;

use super::error::Result;

/// The order in which a scan visits keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Ascending, bytewise.
    #[default]
    Forward,
    /// Descending, bytewise.
    Reverse,
}

/// What a scan needs of each entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fetch {
    /// Keys and values.
    #[default]
    Entries,
    /// Keys alone; the value that is visited is then unspecified, and often empty.
    Keys,
}

/// A request to visit the entries between two bounds, in one direction.
///
/// Bounds are bounds on keys whatever the direction: `start` is the lower one. Bounds that hold no key
/// between them (inverted ones too) make an empty scan, never an error.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// The lower bound.
    pub start: Bound<&'a [u8]>,
    /// The upper bound.
    pub end: Bound<&'a [u8]>,
    /// Ascending or descending.
    pub direction: Direction,
    /// Keys alone, or values too.
    pub fetch: Fetch,
}

impl<'a> Scan<'a> {
    /// Every entry, ascending.
    pub const fn all() -> Self {
        Self::between(Bound::Unbounded, Bound::Unbounded)
    }

    /// The entries between two bounds, ascending.
    pub const fn between(start: Bound<&'a [u8]>, end: Bound<&'a [u8]>) -> Self {
        Self { start, end, direction: Direction::Forward, fetch: Fetch::Entries }
    }

    /// The entries of a range delete, ascending; [`is_empty`](Self::is_empty) tells whether there can be any.
    pub fn of_range(start: &'a Bound<Bytes>, end: &'a Bound<Bytes>) -> Self {
        Self::between(start.as_ref().map(Bytes::as_ref), end.as_ref().map(Bytes::as_ref))
    }

    /// The entries with `start <= key < end`, ascending.
    pub const fn half_open(start: &'a [u8], end: &'a [u8]) -> Self {
        Self::between(Bound::Included(start), Bound::Excluded(end))
    }

    /// The same entries in `direction`.
    #[must_use]
    pub const fn in_direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// The same entries, descending.
    #[must_use]
    pub const fn reverse(self) -> Self {
        self.in_direction(Direction::Reverse)
    }

    /// The same entries, keys alone.
    #[must_use]
    pub const fn keys_only(mut self) -> Self {
        self.fetch = Fetch::Keys;
        self
    }

    /// Whether the bounds hold no key between them.
    ///
    /// An engine asks this first: `BTreeMap` panics on inverted bounds, others answer each in their way.
    pub fn is_empty(&self) -> bool {
        match (self.start, self.end) {
            (Bound::Unbounded, Bound::Excluded(end)) => end.is_empty(),
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end))
            | (Bound::Excluded(start), Bound::Included(end)) => start >= end,
        }
    }

    /// The bound at which the scan begins: `start` going forward, `end` going back.
    pub const fn from(&self) -> Bound<&'a [u8]> {
        match self.direction {
            Direction::Forward => self.start,
            Direction::Reverse => self.end,
        }
    }

    /// Whether `key` lies beyond the bound at which the scan stops.
    pub fn is_past(&self, key: &[u8]) -> bool {
        match self.direction {
            Direction::Forward => match self.end {
                Bound::Included(end) => key > end,
                Bound::Excluded(end) => key >= end,
                Bound::Unbounded => false,
            },
            Direction::Reverse => match self.start {
                Bound::Included(start) => key < start,
                Bound::Excluded(start) => key <= start,
                Bound::Unbounded => false,
            },
        }
    }

    /// What an engine does next, having visited `current` and been answered `step`.
    ///
    /// A target that isn't ahead of `current` counts as [`Step::Next`], so that every scan makes progress;
    /// one past the scan's end stops it.
    pub fn advance<'t>(&self, current: &[u8], step: Step<'t>) -> Advance<'t> {
        match step {
            Step::Next => Advance::Next,
            Step::Stop => Advance::Stop,
            Step::SeekTo(target) if self.is_past(target) => Advance::Stop,
            Step::SeekTo(target) => {
                let ahead = match self.direction {
                    Direction::Forward => target > current,
                    Direction::Reverse => target < current,
                };
                if ahead { Advance::Seek(target) } else { Advance::Next }
            }
        }
    }
}

/// Where a visitor sends a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'t> {
    /// To the entry that follows.
    Next,
    /// To the first entry at or after this key; at or before it in a descending scan.
    SeekTo(&'t [u8]),
    /// Nowhere: the scan ends, and answers `Ok`.
    Stop,
}

/// A [`Step`] after the scan's direction and bounds have been taken into account; see [`Scan::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance<'t> {
    /// Go on to the entry that follows.
    Next,
    /// Move the cursor to this key, which is ahead and within bounds.
    Seek(&'t [u8]),
    /// End the scan.
    Stop,
}

/// What a scan calls for each entry.
///
/// Closures of the same shape are visitors: wrap one in [`visitor`] where type inference needs help.
pub trait Visitor {
    /// Takes one entry and says where to go next.
    ///
    /// `key` and `value` are valid for this call alone. An error ends the scan, which returns it.
    fn visit(&mut self, key: &[u8], value: Value<'_>) -> Result<Step<'_>>;
}

impl<F> Visitor for F
where
    F: FnMut(&[u8], Value<'_>) -> Result<Step<'static>>,
{
    #[inline]
    fn visit(&mut self, key: &[u8], value: Value<'_>) -> Result<Step<'_>> {
        self(key, value)
    }
}

/// Gives a closure the type of a [`Visitor`]; it returns the closure itself.
pub fn visitor<F>(f: F) -> F
where
    F: FnMut(&[u8], Value<'_>) -> Result<Step<'static>>,
{
    f
}

/// The value of a visited entry: at hand, or read when it is asked for.
///
/// A reader of versions visits many entries and keeps few. Engines for which a value costs more than its
/// key (an overflow chain, a network) hand out [`Value::deferred`].
#[derive(Clone, Copy)]
pub struct Value<'a>(Held<'a>);

#[derive(Clone, Copy)]
enum Held<'a> {
    Ready(&'a [u8]),
    Deferred(&'a dyn LoadValue),
}

/// Reads the value of the entry that a scan stands on.
pub trait LoadValue {
    /// The value's bytes; the same each time within a visit.
    fn load(&self) -> Result<&[u8]>;

    /// The value's length, where it costs nothing to know.
    fn ready_len(&self) -> Option<usize> {
        None
    }

    /// The value, to be kept when the visit is over.
    ///
    /// Engines that can lend a large value beyond the visit override it, and hand such values out as
    /// deferred ones even where they are at hand. The bytes may then pin the view's state, as those of
    /// [`View::get`](crate::View::get) do.
    fn keep(&self) -> Result<Bytes> {
        self.load().map(Bytes::copy_from_slice)
    }
}

impl<'a> Value<'a> {
    /// A value that is at hand.
    #[inline]
    pub const fn ready(bytes: &'a [u8]) -> Self {
        Self(Held::Ready(bytes))
    }

    /// A value that is read when it is asked for.
    #[inline]
    pub const fn deferred(load: &'a dyn LoadValue) -> Self {
        Self(Held::Deferred(load))
    }

    /// The value's bytes, borrowed from the engine.
    #[inline]
    pub fn bytes(self) -> Result<&'a [u8]> {
        match self.0 {
            Held::Ready(bytes) => Ok(bytes),
            Held::Deferred(load) => load.load(),
        }
    }

    /// The value's length, where the value is at hand.
    pub fn ready_len(self) -> Option<usize> {
        match self.0 {
            Held::Ready(bytes) => Some(bytes.len()),
            Held::Deferred(load) => load.ready_len(),
        }
    }

    /// The value, to be kept when the visit is over: lent where the engine can do that, and else a copy. It
    /// may pin the view's state, which [`to_bytes`](Self::to_bytes) doesn't.
    pub fn keep(self) -> Result<Bytes> {
        match self.0 {
            Held::Ready(bytes) => Ok(Bytes::copy_from_slice(bytes)),
            Held::Deferred(load) => load.keep(),
        }
    }

    /// A copy of the value's bytes.
    pub fn to_bytes(self) -> Result<Bytes> {
        self.bytes().map(Bytes::copy_from_slice)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Held::Ready(bytes) => write!(f, "Value({} bytes)", bytes.len()),
            Held::Deferred(_) => f.write_str("Value(deferred)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_hold_no_key_are_empty() {
        use Bound::{Excluded, Included, Unbounded};
        let scan = |start, end| Scan::between(start, end).is_empty();
        assert!(scan(Included(b"b".as_slice()), Included(b"a".as_slice())));
        assert!(scan(Included(b"a"), Excluded(b"a")));
        assert!(scan(Excluded(b"a"), Included(b"a")));
        assert!(scan(Excluded(b"a"), Excluded(b"a")));
        assert!(scan(Unbounded, Excluded(b"")));
        assert!(!scan(Included(b"a"), Included(b"a")));
        assert!(!scan(Unbounded, Included(b"")));
        assert!(!scan(Excluded(b"a"), Excluded(b"b")), "a\\0 lies between");
    }

    #[test]
    fn a_target_behind_counts_as_next_and_one_past_the_end_stops() {
        let scan = Scan::half_open(b"a", b"m");
        assert_eq!(scan.advance(b"c", Step::SeekTo(b"c")), Advance::Next);
        assert_eq!(scan.advance(b"c", Step::SeekTo(b"b")), Advance::Next);
        assert_eq!(scan.advance(b"c", Step::SeekTo(b"d")), Advance::Seek(b"d"));
        assert_eq!(scan.advance(b"c", Step::SeekTo(b"m")), Advance::Stop);
        let back = scan.reverse();
        assert_eq!(back.advance(b"c", Step::SeekTo(b"d")), Advance::Next);
        assert_eq!(back.advance(b"c", Step::SeekTo(b"b")), Advance::Seek(b"b"));
        assert_eq!(back.advance(b"c", Step::SeekTo(b"A")), Advance::Stop);
    }
}
