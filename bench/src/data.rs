//! Keys and values that are the same in every run, and digests of what is read.

use std::rc::Rc;

use fastrand::Rng;

/// The bytes of a small value.
pub(crate) const SMALL: usize = 100;

/// The key of a number; keys are in the order of their numbers.
pub(crate) fn key(number: usize) -> Vec<u8> {
    format!("bench/{number:010}").into_bytes()
}

/// The value of a number, in one of several editions.
pub(crate) fn value(number: usize, edition: usize, bytes: usize) -> Vec<u8> {
    let mut value = vec![0; bytes];
    Rng::with_seed((number as u64) << 20 ^ edition as u64).fill(&mut value);
    value
}

/// The numbers below `count`, each once, out of order.
pub(crate) fn shuffled(count: usize) -> Vec<usize> {
    let mut numbers: Vec<_> = (0..count).collect();
    Rng::with_seed(count as u64).shuffle(&mut numbers);
    numbers
}

/// What `of` makes of the numbers below `count`, out of order.
pub(crate) fn shuffled_by<T>(count: usize, of: impl FnMut(usize) -> T) -> Rc<[T]> {
    shuffled(count).into_iter().map(of).collect()
}

/// A digest that reads every byte. It isn't inlined, so that all sides read with the same instructions.
#[inline(never)]
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte)))
}

/// A digest of an entry that reads the end of the key, and the first and the last of the value: enough to
/// tell entries apart, and little beside what stepping from one to the next takes.
pub(crate) fn glance(key: &[u8], value: &[u8]) -> u64 {
    let end = |bytes: &[u8]| bytes.last_chunk().copied().map_or(0, u64::from_le_bytes);
    let start = value.first_chunk().copied().map_or(0, u64::from_le_bytes);
    end(key).wrapping_add(start).wrapping_add(end(value).rotate_left(1)).wrapping_add(value.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_numbers() {
        assert!(key(9) < key(10) && key(99_999) < key(100_000));
    }

    #[test]
    fn values_are_the_same_each_time_and_differ_by_number_and_edition() {
        assert_eq!(value(7, 1, 100), value(7, 1, 100));
        assert_ne!(value(7, 1, 100), value(7, 2, 100));
        assert_ne!(value(7, 1, 100), value(8, 1, 100));
        assert_eq!(value(7, 1, 65_536).len(), 65_536);
    }

    #[test]
    fn every_number_is_drawn_once() {
        let mut numbers = shuffled(1000);
        assert!(!numbers.is_sorted());
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..1000));
        assert_eq!(shuffled(1), [0]);
    }

    #[test]
    fn every_byte_changes_the_digest() {
        let bytes = value(1, 1, 100);
        for at in 0..100 {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_ne!(digest(&other), digest(&bytes), "{at}");
        }
    }

    #[test]
    fn a_glance_tells_entries_apart() {
        let entry = glance(b"bench/01", b"value of 1");
        assert_ne!(glance(b"bench/02", b"value of 1"), entry);
        assert_ne!(glance(b"bench/01", b"value of 2"), entry);
    }
}
