//! Reading a bundle: nothing of it is believed before its checksum was compared, and nothing is allocated for a
//! length that the bytes behind it don't bear out.

use std::cmp::Ordering;
use std::fmt;
use std::io::Read;

use bytes::Bytes;

use super::format::{
    BundleCounts, Entry, HEAD, Kind, MAGIC, SECTION_BYTES, SECTION_HEAD, SectionHead, corrupt,
};
use super::header::BundleHeader;
use crate::spi::{Error, ErrorKind, Result};

/// What is said of a bundle that ends early.
pub(super) const CUT_SHORT: &str = "the bundle is cut short";

/// A bundle of which the header was read.
pub(super) struct Reader<'a> {
    from: &'a mut dyn Read,
    header: BundleHeader,
    number: u32,
    heads: u32,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("header", &self.header).finish_non_exhaustive()
    }
}

impl<'a> Reader<'a> {
    pub(super) fn open(from: &'a mut dyn Read) -> Result<Self> {
        let mut head = [0; HEAD.len()];
        fill(from, &mut head)?;
        if head != HEAD {
            if !head.starts_with(&MAGIC) {
                return Err(corrupt("this isn't a bundle"));
            }
            return Err(Error::new(
                ErrorKind::Incompatible,
                "the bundle is of another version of the format",
            )
            .with("format", u16::from_le_bytes([head[4], head[5]])));
        }
        let mut number = 0;
        let mut heads = crc32c::crc32c(&HEAD);
        let header = match section(from, &mut number, &mut heads)? {
            (Kind::Header, payload) => BundleHeader::decode(&payload)?,
            (kind, _) => return Err(misplaced(kind)),
        };
        Ok(Self { from, header, number, heads })
    }

    pub(super) fn header(&self) -> &BundleHeader {
        &self.header
    }

    /// Hands on every entry, and calls `watch` after each section. Only when it answers were all of them sound.
    pub(super) fn each(
        self,
        visit: &mut dyn FnMut(Entry) -> Result<()>,
        watch: &mut dyn FnMut(&BundleCounts) -> Result<()>,
    ) -> Result<BundleCounts> {
        let Self { from, header, mut number, mut heads } = self;
        let mut counts = BundleCounts::default();
        let mut before: Option<Entry> = None;
        loop {
            let sum = heads;
            match section(from, &mut number, &mut heads)? {
                (Kind::Entries, mut payload) => {
                    let oversized = payload.len() > SECTION_BYTES;
                    while !payload.is_empty() {
                        let entry = Entry::take(&mut payload)?;
                        if oversized && !payload.is_empty() {
                            return Err(corrupt("a section is too long for more than one entry"));
                        }
                        check_entry(&header, before.as_ref(), &entry)?;
                        counts.add(&entry.tkey, &entry.value);
                        before = Some(Entry { value: Bytes::new(), ..entry.clone() });
                        visit(entry)?;
                    }
                    watch(&counts)?;
                }
                (Kind::Trailer, payload) => {
                    if payload != counts.trailer(sum) {
                        return Err(corrupt("the bundle's trailer doesn't fit what stands before it"));
                    }
                    return at_end(from).map(|()| counts);
                }
                (kind, _) => return Err(misplaced(kind)),
            }
        }
    }
}

/// Reads a bundle to its end, compares every checksum, and answers what it says of itself.
///
/// # Errors
/// `Corrupt`; `Incompatible` for a format that this build doesn't know; whatever `watch` answers.
pub fn read_bundle(
    from: &mut dyn Read,
    watch: &mut dyn FnMut(&BundleCounts) -> Result<()>,
) -> Result<(BundleHeader, BundleCounts)> {
    let reader = Reader::open(from)?;
    let header = reader.header().clone();
    let counts = reader.each(&mut |_| Ok(()), watch)?;
    Ok((header, counts))
}

/// Refuses an entry of what the header doesn't name, and one that isn't behind the entry before.
fn check_entry(header: &BundleHeader, before: Option<&Entry>, entry: &Entry) -> Result<()> {
    let instance = usize::try_from(entry.instance).ok().and_then(|place| header.instances.get(place));
    let version = entry.version.map(|place| usize::try_from(place).unwrap_or(usize::MAX));
    let sound = match (instance, version) {
        (Some(instance), Some(place)) => instance.versioned && place < header.versions.len(),
        (Some(instance), None) => !instance.versioned,
        (None, _) => false,
    };
    if !sound {
        return Err(corrupt("an entry is of an instance or a version that the header doesn't name"));
    }
    let Some(before) = before else { return Ok(()) };
    let order = (before.instance, &before.tkey).cmp(&(entry.instance, &entry.tkey));
    if order.then(entry.version.cmp(&before.version)) == Ordering::Less {
        return Ok(());
    }
    Err(corrupt("the entries aren't in their order").with_key("key", &entry.tkey))
}

#[cold]
fn misplaced(kind: Kind) -> Error {
    corrupt("a section stands where it doesn't belong").with("kind", kind as u8)
}

/// Reads the next section, of which the checksums are right.
fn section(from: &mut dyn Read, number: &mut u32, heads: &mut u32) -> Result<(Kind, Bytes)> {
    let mut bytes = [0; SECTION_HEAD];
    fill(from, &mut bytes)?;
    let head = SectionHead::decode(&bytes)?;
    if head.number != *number {
        return Err(corrupt("a section is missing, or out of its order")
            .with("section", head.number)
            .with("expected", *number));
    }
    // What is read grows with what is there, whatever length the head claims.
    let mut payload = Vec::new();
    from.take(head.length).read_to_end(&mut payload).map_err(unreadable)?;
    if u64::try_from(payload.len()).unwrap_or(u64::MAX) < head.length {
        return Err(corrupt(CUT_SHORT));
    }
    head.check(&payload)?;
    *heads = crc32c::crc32c_append(*heads, &bytes);
    *number = number.checked_add(1).ok_or_else(|| corrupt("a bundle has too many sections"))?;
    Ok((head.kind, payload.into()))
}

fn fill(from: &mut dyn Read, bytes: &mut [u8]) -> Result<()> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => corrupt(CUT_SHORT),
        _ => unreadable(error),
    })
}

fn at_end(from: &mut dyn Read) -> Result<()> {
    let mut behind = Vec::new();
    from.take(1).read_to_end(&mut behind).map_err(unreadable)?;
    if behind.is_empty() { Ok(()) } else { Err(corrupt("something stands behind the bundle's end")) }
}

#[cold]
fn unreadable(error: std::io::Error) -> Error {
    Error::from_io(error, "the bundle can't be read")
}
