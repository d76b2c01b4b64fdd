//! Random programs.

use engine_api::Capabilities;

use super::{Action, Shape};
use crate::checks::fitting_value;
use crate::need::Need;
use crate::rng::Rng;

pub(super) fn program(seed: u64, shape: &Shape, capabilities: &Capabilities) -> Vec<Action> {
    let mut rng = Rng::new(seed);
    let stem = vec![b's'; shape.stem];
    (0..shape.actions).map(|_| action(&mut rng, shape, &stem, capabilities)).collect()
}

fn action(rng: &mut Rng, shape: &Shape, stem: &[u8], capabilities: &Capabilities) -> Action {
    let value = fitting_value(&capabilities.limits, shape.value);
    let range = |rng: &mut Rng| {
        let (one, other) = (key(rng, stem), key(rng, stem));
        // Now and then the wrong way round.
        if rng.one_in(10) { (one.max(other), one.min(other)) } else { (one.min(other), one.max(other)) }
    };
    let deletes_ranges = Need::DeleteRange.unmet_by(capabilities).is_none();
    let write = |rng: &mut Rng| match rng.below(12) {
        0 if deletes_ranges => {
            let (low, high) = range(rng);
            Action::DeleteRange(low, high)
        }
        0..4 => Action::Delete(key(rng, stem)),
        _ => Action::Put(key(rng, stem), rng.below(value + 1), rng.next().to_le_bytes()[0]),
    };
    match rng.below(12) {
        0..5 => write(rng),
        5..7 => {
            let most = capabilities.limits.batch_ops.unwrap_or(8).min(8);
            let inner: Vec<Action> = (0..rng.below(most + 1)).map(|_| write(rng)).collect();
            Action::Batch(inner.leak())
        }
        7 => Action::Get(key(rng, stem)),
        8 if Need::Reverse.unmet_by(capabilities).is_none() => {
            let (low, high) = range(rng);
            Action::ScanReverse(low, high)
        }
        9 => Action::Seek(key(rng, stem), key(rng, stem)),
        10 if shape.reopens && rng.one_in(4) => Action::Reopen,
        11 if rng.one_in(6) => Action::Flush,
        _ => {
            let (low, high) = range(rng);
            Action::Scan(low, high)
        }
    }
}

/// A short key of few letters behind the stem: keys meet often, and extend each other. They are leaked, so
/// that a program reads in code as it does in a message; a run leaks some kilobytes.
fn key(rng: &mut Rng, stem: &[u8]) -> &'static [u8] {
    let length = 1 + rng.below(3);
    let mut key = stem.to_vec();
    key.extend((0..length).map(|_| *rng.pick(&[0x00, 0x01, b'a', b'b', 0xFE, 0xFF])));
    key.leak()
}
