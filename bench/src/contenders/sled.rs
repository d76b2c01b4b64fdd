//! sled, called as its own documentation calls it, on the tree beneath the store.

use std::path::Path;
use std::rc::Rc;

use engine_api::{Config, Descriptor, Direction, Durability, Engine};
use engine_sled::SLED;
use engine_sled::bench::Beneath;
use sled::{Batch, Tree};

use super::{Contender, Subject};
use crate::Outcome;
use crate::contest::Side;
use crate::data::{digest, glance};
use crate::peer::{Batches, Keys, Peer, Ranges, Snapshot};
use crate::target::Targets;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sled;

impl Contender for Sled {
    fn descriptor(&self) -> &'static Descriptor {
        SLED.descriptor()
    }

    fn targets(&self) -> Targets {
        Targets::SLED
    }

    fn create(&self, path: &Path, _: Durability) -> Outcome<Subject> {
        let (store, beneath) = engine_sled::bench::open(&Config::new(SLED.descriptor()).at(path))?;
        Ok(Subject { store: store.into(), peer: Some(Box::new(Raw(beneath))) })
    }
}

#[derive(Debug)]
struct Raw(Beneath);

impl Peer for Raw {
    /// sled has no snapshots, so it reads the same either way.
    fn get(&self, keys: Keys, _: Snapshot) -> Outcome<Side<'_>> {
        let tree = self.0.tree()?;
        Ok(Side::over("get", keys, move |key| {
            Ok(digest(&tree.get(key)?.ok_or("a key is absent that was stored")?))
        }))
    }

    fn scans(&self, ranges: Ranges, direction: Direction) -> Outcome<Vec<Side<'_>>> {
        let tree = self.0.tree()?;
        Ok(vec![Side::over("range", ranges, move |(start, end)| iterate(tree, start, end, direction))])
    }

    fn seeks(&self, runs: Rc<[Vec<Vec<u8>>]>) -> Outcome<Side<'_>> {
        let tree = self.0.tree()?;
        Ok(Side::over("range per key", runs, move |keys| {
            let mut sum = 0_u64;
            for key in keys {
                if let Some(entry) = tree.range::<&[u8], _>(key.as_slice()..).next() {
                    sum = sum.wrapping_add(glance(&[], &entry?.1));
                }
            }
            Ok(sum)
        }))
    }

    fn puts(&self, batches: Batches, durability: Durability) -> Outcome<Side<'_>> {
        let tree = self.0.tree()?;
        let way = if durability == Durability::Relaxed { "apply_batch" } else { "apply_batch, flush" };
        Ok(Side::over(way, batches, move |entries| insert(tree, entries, durability).map(|()| 0)))
    }
}

fn iterate(tree: &Tree, start: &[u8], end: &[u8], direction: Direction) -> Outcome<u64> {
    let mut range = tree.range(start..end);
    let mut sum = 0_u64;
    loop {
        let entry = match direction {
            Direction::Forward => range.next(),
            Direction::Reverse => range.next_back(),
        };
        let Some(entry) = entry else { return Ok(sum) };
        let (key, value) = entry?;
        sum = sum.wrapping_add(glance(&key, &value));
    }
}

fn insert(tree: &Tree, entries: &[(Vec<u8>, Vec<u8>)], durability: Durability) -> Outcome {
    if let [(key, value)] = entries {
        tree.insert(key, value.as_slice())?;
    } else {
        let mut batch = Batch::default();
        for (key, value) in entries {
            batch.insert(key.as_slice(), value.as_slice());
        }
        tree.apply_batch(batch)?;
    }
    if durability != Durability::Relaxed {
        tree.flush()?;
    }
    Ok(())
}
