//! A set of versions, asked for every entry that a read steps over.

use crate::key::VersionId;

/// Versions that follow each other share a block.
const BLOCK: u32 = u64::BITS;

/// A set of versions: bits, in blocks of 64 numbers, of which only those are kept that have one. So numbers
/// that lie far apart take memory for themselves alone, and not for what lies between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct VersionSet {
    /// By ascending number, none empty.
    blocks: Vec<Block>,
    /// Whether no block is left out between the first and the last, which are then found without a search.
    dense: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    number: u32,
    bits: u64,
}

impl VersionSet {
    /// Of versions in ascending order.
    pub(super) fn of_ascending(versions: impl IntoIterator<Item = VersionId>) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        for VersionId(version) in versions {
            let (number, bit) = (version / BLOCK, 1 << (version % BLOCK));
            match blocks.last_mut() {
                Some(last) if last.number == number => last.bits |= bit,
                _ => blocks.push(Block { number, bits: bit }),
            }
        }
        let dense = match (blocks.first(), blocks.last()) {
            (Some(first), Some(last)) => (last.number - first.number) as usize == blocks.len() - 1,
            _ => true,
        };
        Self { blocks, dense }
    }

    /// The same with a version that is higher than all of them.
    pub(super) fn with_highest(&self, VersionId(version): VersionId) -> Self {
        let mut set = self.clone();
        let (number, bit) = (version / BLOCK, 1 << (version % BLOCK));
        match set.blocks.last_mut() {
            Some(last) if last.number == number => last.bits |= bit,
            last => {
                set.dense &= last.is_none_or(|last| last.number + 1 == number);
                set.blocks.push(Block { number, bits: bit });
            }
        }
        set
    }

    #[inline]
    pub(super) fn contains(&self, VersionId(version): VersionId) -> bool {
        let at = self.first_from(version / BLOCK);
        self.blocks
            .get(at)
            .is_some_and(|block| block.number == version / BLOCK && block.bits >> (version % BLOCK) & 1 == 1)
    }

    /// The highest version below `version`.
    pub(super) fn below(&self, VersionId(version): VersionId) -> Option<VersionId> {
        let at = self.first_from(version / BLOCK);
        if let Some(block) = self.blocks.get(at)
            && block.number == version / BLOCK
            && let Some(found) = block.highest_of((1 << (version % BLOCK)) - 1)
        {
            return Some(found);
        }
        self.blocks.get(at.checked_sub(1)?)?.highest_of(u64::MAX)
    }

    /// The highest version.
    pub(super) fn last(&self) -> Option<VersionId> {
        self.blocks.last()?.highest_of(u64::MAX)
    }

    /// The versions, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = VersionId> + '_ {
        self.blocks.iter().flat_map(|block| {
            (0..BLOCK)
                .filter(|bit| block.bits >> bit & 1 == 1)
                .map(|bit| VersionId(block.number * BLOCK + bit))
        })
    }

    /// Where the first block is that has this number or a higher one.
    #[inline]
    fn first_from(&self, number: u32) -> usize {
        if self.dense {
            let first = self.blocks.first().map_or(0, |block| block.number);
            (number.saturating_sub(first) as usize).min(self.blocks.len())
        } else {
            self.blocks.partition_point(|block| block.number < number)
        }
    }
}

impl Block {
    /// The highest version among those that `mask` leaves.
    fn highest_of(self, mask: u64) -> Option<VersionId> {
        let bit = (self.bits & mask).checked_ilog2()?;
        Some(VersionId(self.number * BLOCK + bit))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Numbers around the edges of blocks, close together and far apart.
    fn numbers() -> impl Strategy<Value = BTreeSet<u32>> {
        let number = prop_oneof![0_u32..200, 60_u32..70, u32::MAX - 130..=u32::MAX, any::<u32>()];
        prop_oneof![
            prop::collection::btree_set(number, 0..40),
            (0_u32..300, 0_u32..300).prop_map(|(from, count)| (from..from + count).collect()),
        ]
    }

    proptest! {
        #[test]
        fn it_answers_as_a_sorted_set_does(numbers in numbers(), more in prop::collection::vec(any::<u32>(), 8)) {
            let set = VersionSet::of_ascending(numbers.iter().copied().map(VersionId));
            let none = VersionSet::of_ascending([]);
            let grown = numbers.iter().fold(none, |grown, id| grown.with_highest(VersionId(*id)));
            prop_assert_eq!(&grown, &set);
            prop_assert!(set.iter().map(|id| id.0).eq(numbers.iter().copied()));
            prop_assert_eq!(set.last().map(|id| id.0), numbers.last().copied());
            let near = numbers.iter().flat_map(|id| [id.saturating_sub(1), *id, id.saturating_add(1)]);
            for asked in near.chain(more).chain([0, 63, 64, u32::MAX]) {
                prop_assert_eq!(set.contains(VersionId(asked)), numbers.contains(&asked), "{}", asked);
                let below = numbers.range(..asked).next_back().copied();
                prop_assert_eq!(set.below(VersionId(asked)).map(|id| id.0), below, "below {}", asked);
            }
        }
    }
}
