//! Numbered batches: each puts new keys, replaces some that others have put, and deletes one, so that pages are
//! freed and used again; and each says by its number alone what it does.

use std::collections::BTreeMap;

use bytes::Bytes;
use engine_api::{Limits, Op, WriteBatch};

use crate::checks::fitting_value;
use crate::rng::Rng;

/// The new keys of a batch.
const KEYS: usize = 4;

/// How long values are that are replaced over and over: within a page, some pages, and as some engines keep in a
/// place of its own.
const LENGTHS: [usize; 3] = [1 << 10, 24 << 10, 300 << 10];

/// The number of the batch whose first key this is: no other batch touches that one.
pub(super) fn number_of(key: &[u8]) -> Option<usize> {
    std::str::from_utf8(key).ok()?.strip_suffix("/0")?.strip_prefix("batch/")?.parse().ok()
}

fn key(number: usize, at: usize) -> String {
    format!("batch/{number:08}/{at}")
}

pub(super) fn batch(number: usize, limits: &Limits) -> WriteBatch {
    let mut rng = Rng::new(number as u64);
    let mut batch = WriteBatch::new();
    for at in 0..KEYS {
        batch.put(key(number, at), format!("{number} {at}"));
    }
    batch.put(format!("latest/{}", number % 5), number.to_string());
    let longest = match rng.below(32) {
        0 => LENGTHS[2],
        1..4 => LENGTHS[1],
        _ => LENGTHS[0],
    };
    let length = fitting_value(limits, longest / 2 + rng.below(longest / 2));
    let text = format!("{number} ");
    let filler = Bytes::from(text.repeat(length / text.len() + 1)).slice(..length);
    batch.put(format!("filler/{}", number % 7), filler);
    if let Some(before) = number.checked_sub(3) {
        batch.delete(key(before, 1));
    }
    batch
}

/// What is there when these batches were committed, in this order, and nothing else was.
pub(super) fn replay(numbers: &[usize], limits: &Limits) -> BTreeMap<Bytes, Bytes> {
    let mut state = BTreeMap::new();
    for number in numbers {
        for op in batch(*number, limits).ops() {
            match op {
                Op::Put { key, value } => drop(state.insert(key.clone(), value.clone())),
                Op::Delete { key } => drop(state.remove(key)),
                Op::DeleteRange { .. } => {}
            }
        }
    }
    state
}
