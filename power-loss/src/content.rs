//! What is in a file: what programs read, what has been forced to the disk, and what was done in between.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use fastrand::Rng;

/// What a disk writes whole or not at all.
pub(crate) const SECTOR: usize = 512;

/// What room is given in.
pub(crate) const BLOCK: usize = 4096;

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    live: Vec<u8>,
    synced: Vec<u8>,
    pending: Vec<Change>,
    blocks: BTreeSet<usize>,
    // What lies before is read from the disk; the rest has never left the system's cache.
    cold: usize,
    // Blocks of which a sync that failed has given up something. The system's cache holds whole ones.
    given_up: BTreeSet<usize>,
}

impl Content {
    /// A file that is all on the disk.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let blocks = (0..bytes.len().div_ceil(BLOCK)).collect();
        Self {
            live: bytes.to_vec(),
            synced: bytes.to_vec(),
            pending: Vec::new(),
            blocks,
            cold: bytes.len(),
            given_up: BTreeSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn read(&self, at: usize, length: usize) -> &[u8] {
        let end = at.saturating_add(length).min(self.live.len());
        self.live.get(at..end).unwrap_or_default()
    }

    /// Whether what is there must be read from the disk.
    pub(crate) fn is_cold(&self, at: usize) -> bool {
        at < self.cold
    }

    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        put(&mut self.live, at, bytes);
        self.blocks.extend(blocks(at, bytes.len()));
        for block in blocks(at, bytes.len()) {
            if self.given_up.remove(&block) {
                let bytes = self.read(block * BLOCK, BLOCK).to_vec();
                self.pending.push(Change::Write { at: block * BLOCK, bytes });
            }
        }
        self.pending.push(Change::Write { at, bytes: bytes.to_vec() });
    }

    pub(crate) fn set_length(&mut self, length: usize) {
        self.live.resize(length, 0);
        drop(self.blocks.split_off(&length.div_ceil(BLOCK)));
        // A block that is cut is read for it.
        self.cold = self.cold.min(length / BLOCK * BLOCK);
        self.pending.push(Change::Length(length));
    }

    /// The room that it takes: holes take none.
    pub(crate) fn room(&self) -> usize {
        self.blocks.len() * BLOCK
    }

    /// The room that a write would take beyond that.
    pub(crate) fn room_for(&self, at: usize, length: usize) -> usize {
        blocks(at, length).filter(|block| !self.blocks.contains(block)).count() * BLOCK
    }

    /// All of it is on the disk now, but for what a sync that failed has given up.
    pub(crate) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            match change {
                Change::Write { at, bytes } => put(&mut self.synced, at, &bytes),
                Change::Length(length) => self.synced.resize(length, 0),
            }
        }
    }

    /// A sync has failed: what it should have written stays readable, and no later sync writes it, unless another
    /// write to the same block takes it along.
    pub(crate) fn give_up(&mut self) {
        for change in &self.pending {
            if let Change::Write { at, bytes } = change {
                self.given_up.extend(blocks(*at, bytes.len()));
            }
        }
        self.pending.retain(|change| matches!(change, Change::Length(_)));
    }

    /// What the disk holds after a cut.
    pub(crate) fn survivors(&self, rng: &mut Rng) -> Vec<u8> {
        let fate = Fate::draw(self.pending.len(), rng);
        // Of each sector, the changes before this one have reached it.
        let mut reached: HashMap<usize, usize> = HashMap::new();
        for (number, change) in self.pending.iter().enumerate() {
            let Change::Write { at, bytes } = change else { continue };
            for sector in sectors(*at, bytes.len()) {
                if fate.arrives(number, rng) {
                    reached.insert(sector, number + 1);
                }
            }
        }
        let mut left = self.synced.clone();
        for (number, change) in self.pending.iter().enumerate() {
            match change {
                Change::Length(length) if number < fate.lengths => left.resize(*length, 0),
                Change::Length(_) => {}
                Change::Write { at, bytes } => {
                    for sector in sectors(*at, bytes.len()) {
                        if reached.get(&sector).is_some_and(|before| number < *before) {
                            let part = overlap(*at, bytes.len(), sector);
                            put(&mut left, part.start, &bytes[part.start - at..part.end - at]);
                        }
                    }
                }
            }
        }
        // A length may be on the disk before the bytes are.
        if fate.lengths == self.pending.len() && left.len() < self.live.len() && rng.bool() {
            left.resize(self.live.len(), 0);
        }
        left
    }
}

/// What becomes of a file's changes: of each write's sectors, and of the changes of its length.
struct Fate {
    writes: Writes,
    lengths: usize,
}

enum Writes {
    /// Those before one, in the order in which they were made, and of that one some sectors.
    Until(usize),
    /// Whole ones, in any order: another is on the disk although one before it isn't.
    Whole(Vec<bool>),
    /// Each sector for itself.
    Torn,
}

impl Fate {
    fn draw(changes: usize, rng: &mut Rng) -> Self {
        let (writes, lengths) = match rng.u8(0..6) {
            0 => (Writes::Until(0), 0),
            1 => (Writes::Until(changes), changes),
            2 => {
                let until = rng.usize(0..=changes);
                (Writes::Until(until), until)
            }
            3 => (Writes::Torn, rng.usize(0..=changes)),
            _ => {
                let kept = (0..changes).map(|_| rng.bool()).collect();
                (Writes::Whole(kept), rng.usize(0..=changes))
            }
        };
        Self { writes, lengths }
    }

    fn arrives(&self, number: usize, rng: &mut Rng) -> bool {
        match &self.writes {
            // None at all and a part of the first differ.
            Writes::Until(0) => false,
            Writes::Until(until) => number < *until || (number == *until && rng.bool()),
            Writes::Whole(kept) => kept.get(number).copied().unwrap_or(false),
            Writes::Torn => rng.bool(),
        }
    }
}

fn put(into: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if into.len() < end {
        into.resize(end, 0);
    }
    into[at..end].copy_from_slice(bytes);
}

fn blocks(at: usize, length: usize) -> Range<usize> {
    at / BLOCK..(at + length).div_ceil(BLOCK)
}

fn sectors(at: usize, length: usize) -> Range<usize> {
    at / SECTOR..(at + length).div_ceil(SECTOR)
}

fn overlap(at: usize, length: usize, sector: usize) -> Range<usize> {
    at.max(sector * SECTOR)..(at + length).min((sector + 1) * SECTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(content: &Content) -> BTreeSet<Vec<u8>> {
        (0..2000).map(|seed| content.survivors(&mut Rng::with_seed(seed))).collect()
    }

    #[test]
    fn what_was_synced_stays() {
        let mut content = Content::new(b"old");
        content.write(3, b" and new");
        content.sync();
        assert_eq!(draws(&content), BTreeSet::from([b"old and new".to_vec()]));
    }

    #[test]
    fn a_write_within_a_sector_is_there_or_not_and_a_longer_one_may_be_torn() {
        let mut content = Content::new(&[0; 2 * SECTOR]);
        content.write(10, &[1; 20]);
        assert_eq!(draws(&content).len(), 2);
        let mut content = Content::new(&[0; 2 * SECTOR]);
        content.write(SECTOR - 1, &[1, 1]);
        let found: BTreeSet<_> =
            draws(&content).into_iter().map(|left| (left[SECTOR - 1], left[SECTOR])).collect();
        assert_eq!(found, BTreeSet::from([(0, 0), (0, 1), (1, 0), (1, 1)]));
    }

    #[test]
    fn of_two_writes_the_later_may_be_alone_unless_they_share_a_sector() {
        let mut apart = Content::new(&[0; 2 * SECTOR]);
        apart.write(0, &[1]);
        apart.write(SECTOR, &[1]);
        assert!(draws(&apart).iter().any(|left| (left[0], left[SECTOR]) == (0, 1)));
        let mut together = Content::new(&[0; SECTOR]);
        together.write(0, &[1]);
        together.write(1, &[1]);
        assert!(!draws(&together).iter().any(|left| (left[0], left[1]) == (0, 1)));
    }

    #[test]
    fn a_length_may_come_without_the_bytes_and_bytes_without_a_later_length() {
        let mut longer = Content::default();
        longer.write(0, &[1; SECTOR + 1]);
        let found = draws(&longer);
        assert!(found.contains(&vec![0; SECTOR + 1]) && found.contains(&Vec::new()), "{}", found.len());
        let mut shorter = Content::new(&[1; 4]);
        shorter.set_length(0);
        assert_eq!(draws(&shorter), BTreeSet::from([vec![], vec![1; 4]]));
    }

    #[test]
    fn what_a_failed_sync_gave_up_is_read_and_never_written() {
        let mut content = Content::new(b"old");
        content.write(0, b"new");
        content.give_up();
        content.sync();
        assert_eq!(content.read(0, 10), b"new");
        assert_eq!(draws(&content), BTreeSet::from([b"old".to_vec()]));
        content.write(2, b"t");
        content.sync();
        assert_eq!(draws(&content), BTreeSet::from([b"net".to_vec()]), "the block is written as a whole");
    }

    #[test]
    fn holes_take_no_room() {
        let mut content = Content::default();
        content.set_length(100 * BLOCK);
        assert_eq!((content.room(), content.room_for(BLOCK - 1, 2)), (0, 2 * BLOCK));
        content.write(BLOCK - 1, b"xy");
        assert_eq!((content.room(), content.room_for(0, BLOCK)), (2 * BLOCK, 0));
        content.set_length(1);
        assert_eq!(content.room(), BLOCK);
    }
}
