//! The keys of a graph, to the byte; the layout is in the [module's docs](super).

use std::ops::Bound;

use super::element::{Element, VertexId};
use crate::ext::KeyRange;
use crate::key::{TKey, TKeyClass};
use crate::spi::{Error, ErrorKind, Result};

pub(super) const GRAPH: TKeyClass = TKeyClass(0x20);
pub(super) const VERTEX: TKeyClass = TKeyClass(0x21);
pub(super) const VERTEX_PROPERTY: TKeyClass = TKeyClass(0x22);
pub(super) const OUT: TKeyClass = TKeyClass(0x23);
pub(super) const IN: TKeyClass = TKeyClass(0x24);
pub(super) const EDGE_PROPERTY: TKeyClass = TKeyClass(0x25);

/// How many vertices can be under removal at once.
pub(super) const SLOTS: u8 = 16;

/// A vertex's number: how many bytes follow, plus one, and those bytes, big-endian, without leading zeros. In the
/// order of the numbers, none a prefix of another, and without the zero bytes that the codec would escape.
fn push_id(key: &mut Vec<u8>, id: VertexId) {
    let bytes = id.to_be_bytes();
    let zeros = id.leading_zeros() / 8;
    let rest = &bytes[zeros as usize..];
    key.push(u8::try_from(1 + rest.len()).unwrap_or(9));
    key.extend_from_slice(rest);
}

/// The number at the start of some bytes, and what follows it.
fn split_id(bytes: &[u8]) -> Option<(VertexId, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (digits, rest) = rest.split_at_checked(usize::from(length.checked_sub(1)?))?;
    let mut whole = [0; 8];
    whole.get_mut(8_usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    (digits.first() != Some(&0)).then_some((u64::from_be_bytes(whole), rest))
}

fn key(class: TKeyClass, ids: &[VertexId], name: &str) -> TKey {
    let mut key = Vec::with_capacity(1 + 9 * ids.len() + name.len());
    key.push(class.0);
    for id in ids {
        push_id(&mut key, *id);
    }
    key.extend_from_slice(name.as_bytes());
    TKey::from(key)
}

/// The graph's own record.
pub(super) fn graph() -> TKey {
    GRAPH.min_key()
}

/// The record of a removal that is under way.
pub(super) fn slot(number: u8) -> TKey {
    TKey::new(GRAPH, &[number])
}

/// Which of the records a vertex's removal takes.
pub(super) const fn slot_of(id: VertexId) -> u8 {
    // The golden ratio spreads numbers that follow each other.
    id.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0] >> 4
}

pub(super) fn vertex(id: VertexId) -> TKey {
    key(VERTEX, &[id], "")
}

pub(super) fn vertex_property(id: VertexId, name: &str) -> TKey {
    key(VERTEX_PROPERTY, &[id], name)
}

/// An edge, found from where it begins.
pub(super) fn out(from: VertexId, to: VertexId) -> TKey {
    key(OUT, &[from, to], "")
}

/// The same edge, found from where it ends.
pub(super) fn into(from: VertexId, to: VertexId) -> TKey {
    key(IN, &[to, from], "")
}

pub(super) fn edge_property(from: VertexId, to: VertexId, name: &str) -> TKey {
    key(EDGE_PROPERTY, &[from, to], name)
}

/// The keys of a class that begin with these numbers.
pub(super) fn of(class: TKeyClass, ids: &[VertexId]) -> KeyRange {
    KeyRange::prefix(key(class, ids, "").as_bytes())
}

/// Of the keys of a class that begin with `ids`, those that go on with numbers between two bounds.
pub(super) fn between<const N: usize>(
    class: TKeyClass,
    ids: &[VertexId],
    (start, end): (Bound<[VertexId; N]>, Bound<[VertexId; N]>),
) -> KeyRange {
    let all = of(class, ids);
    let at = |bound: [VertexId; N]| key(class, &[ids, &bound[..]].concat(), "").as_bytes().to_vec();
    let start = match start {
        Bound::Unbounded => all.start().map(<[u8]>::to_vec),
        bound => bound.map(at),
    };
    let end = match end {
        Bound::Unbounded => all.end().map(<[u8]>::to_vec),
        bound => bound.map(at),
    };
    KeyRange::between(start, end)
}

/// Every key of a graph.
pub(super) fn all() -> KeyRange {
    KeyRange::new([GRAPH.0]..[EDGE_PROPERTY.0 + 1])
}

/// Every key of a graph but the records of the graph itself and of removals.
pub(super) fn contents() -> KeyRange {
    KeyRange::new([VERTEX.0]..[EDGE_PROPERTY.0 + 1])
}

/// A key's vertex or vertices, and what follows them.
pub(super) fn split_one(tkey: &[u8]) -> Result<(VertexId, &[u8])> {
    tkey.get(1..).and_then(split_id).ok_or_else(|| malformed(tkey))
}

pub(super) fn split_two(tkey: &[u8]) -> Result<(VertexId, VertexId, &[u8])> {
    let two = |rest| {
        let (first, rest) = split_id(rest)?;
        let (second, rest) = split_id(rest)?;
        Some((first, second, rest))
    };
    tkey.get(1..).and_then(two).ok_or_else(|| malformed(tkey))
}

/// The bytes of the name in the key of a vertex's property.
pub(super) fn vertex_name(tkey: &[u8]) -> Result<&[u8]> {
    split_one(tkey).map(|(_, name)| name)
}

/// The bytes of the name in the key of an edge's property.
pub(super) fn edge_name(tkey: &[u8]) -> Result<&[u8]> {
    split_two(tkey).map(|(_, _, name)| name)
}

pub(super) fn text(tkey: &[u8], name: &[u8]) -> Result<String> {
    std::str::from_utf8(name).map(str::to_owned).map_err(|_| malformed(tkey))
}

#[cold]
pub(super) fn malformed(tkey: &[u8]) -> Error {
    Error::new(ErrorKind::Corrupt, "a key of a graph isn't well formed").with_key("key", tkey)
}

fn whole(tkey: &[u8], rest: &[u8]) -> Result<()> {
    if rest.is_empty() { Ok(()) } else { Err(malformed(tkey)) }
}

impl Element {
    /// The part of a graph that a key belongs to, for one who is told of a key: that of a [conflict](crate::version::Conflict)
    /// or of a [difference](crate::version::Difference). `None` for a key of no graph.
    ///
    /// An edge has two keys, one from each end, which are always written together; this is the same for both.
    ///
    /// # Errors
    /// `Corrupt` for a malformed key.
    pub fn of_key(tkey: &TKey) -> Result<Option<Self>> {
        let bytes = tkey.as_bytes();
        let Some(class) = bytes.first().copied().map(TKeyClass) else { return Ok(None) };
        Ok(Some(match class {
            GRAPH if bytes.len() == 1 => Self::Graph,
            VERTEX => {
                let (id, rest) = split_one(bytes)?;
                whole(bytes, rest)?;
                Self::Vertex(id)
            }
            VERTEX_PROPERTY => {
                let (id, name) = split_one(bytes)?;
                Self::VertexProperty(id, text(bytes, name)?)
            }
            OUT | IN => {
                let (first, second, rest) = split_two(bytes)?;
                whole(bytes, rest)?;
                if class == OUT { Self::Edge(first, second) } else { Self::Edge(second, first) }
            }
            EDGE_PROPERTY => {
                let (from, to, name) = split_two(bytes)?;
                Self::EdgeProperty(from, to, text(bytes, name)?)
            }
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_to_the_byte() {
        let golden: [(TKey, &[u8]); 10] = [
            (graph(), b"\x20"),
            (slot(7), b"\x20\x07"),
            (vertex(0), b"\x21\x01"),
            (vertex(5), b"\x21\x02\x05"),
            (vertex(0x0100), b"\x21\x03\x01\x00"),
            (vertex(u64::MAX), b"\x21\x09\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
            (vertex_property(5, "näme"), b"\x22\x02\x05n\xC3\xA4me"),
            (out(5, 11), b"\x23\x02\x05\x02\x0B"),
            (into(5, 11), b"\x24\x02\x0B\x02\x05"),
            (edge_property(5, 11, "a"), b"\x25\x02\x05\x02\x0Ba"),
        ];
        for (key, bytes) in golden {
            assert_eq!(key.as_bytes(), bytes);
        }
        assert_eq!([0, 1, 2, 3, 4].map(slot_of), [0, 9, 3, 13, 7]);
    }

    #[test]
    fn every_key_tells_what_it_belongs_to() {
        let (name, long) = ("näme".to_owned(), "ab".to_owned());
        let keys = [
            (graph(), Some(Element::Graph)),
            (slot(7), None),
            (vertex(300), Some(Element::Vertex(300))),
            (vertex_property(300, &name), Some(Element::VertexProperty(300, name))),
            (out(5, 11), Some(Element::Edge(5, 11))),
            (into(5, 11), Some(Element::Edge(5, 11))),
            (edge_property(5, 11, &long), Some(Element::EdgeProperty(5, 11, long))),
            (TKey::from("a"), None),
            (TKey::default(), None),
        ];
        for (key, element) in keys {
            assert_eq!(Element::of_key(&key).unwrap(), element, "{key:?}");
        }
    }

    #[test]
    fn malformed_keys_are_errors() {
        let keys: [&[u8]; 9] = [
            b"\x21",
            b"\x21\x00",
            b"\x21\x02\x00",
            b"\x21\x0A123456789",
            b"\x21\x02\x05\x01",
            b"\x22\x02\x05\xFF",
            b"\x23\x02\x05",
            b"\x24\x02\x05\x02\x05x",
            b"\x25\x02\x05",
        ];
        for key in keys {
            let refused = Element::of_key(&TKey::from(key)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Corrupt, "{key:?}");
        }
    }

    /// Numbers of every length.
    fn id() -> impl Strategy<Value = u64> {
        (0_u32..64, any::<u64>()).prop_map(|(shift, id)| id >> shift)
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_their_numbers(a in (id(), id()), b in (id(), id())) {
            let (left, right) = (out(a.0, a.1), out(b.0, b.1));
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
            prop_assert_eq!(split_two(left.as_bytes()).unwrap(), (a.0, a.1, &b""[..]));
            prop_assert_eq!(vertex(a.0).cmp(&vertex(b.0)), a.0.cmp(&b.0));
            prop_assert_eq!(of(OUT, &[a.0]).contains(right.as_bytes()), a.0 == b.0);
            let up_to = between(OUT, &[], (Bound::Unbounded, Bound::Included([a.0, a.1])));
            prop_assert_eq!(up_to.contains(right.as_bytes()), b <= a);
            let above = between(OUT, &[b.0], (Bound::Excluded([a.1]), Bound::Unbounded));
            prop_assert_eq!(above.contains(right.as_bytes()), b.1 > a.1);
        }

        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes: Vec<u8>, class in 0x20_u8..0x26) {
            let _ = Element::of_key(&TKey::new(TKeyClass(class), &bytes));
        }

        #[test]
        fn a_key_is_read_as_it_is_written(from in id(), to in id(), name: String) {
            let key = edge_property(from, to, &name);
            prop_assert_eq!(Element::of_key(&key).unwrap(), Some(Element::EdgeProperty(from, to, name)));
        }
    }
}
