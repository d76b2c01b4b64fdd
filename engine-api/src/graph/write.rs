//! The way that every write to a graph takes.

use std::thread;
use std::time::Duration;

use super::draft::Draft;
use super::element::Item;
use super::over::KeyValueGraph;
use crate::key::Context;
use crate::spi::{ErrorKind, Result};
use crate::version::{Batcher, OrderedKeyValue};

/// How often a write is made anew whose reads another write has overtaken.
const ATTEMPTS: u32 = 256;
/// The most things that one batch adds, and the bytes of properties at which it ends.
const ITEMS_AT_ONCE: usize = 1024;
const BYTES_AT_ONCE: usize = 4 << 20;

/// Counts lost races, and lets the losers spread out.
#[derive(Default)]
pub(super) struct Race(u32);

impl Race {
    /// Whether to try again after a commit has failed so; waits a moment if so.
    pub(super) fn goes_on(&mut self, kind: ErrorKind) -> bool {
        self.0 += 1;
        if kind != ErrorKind::Conflict || self.0 > ATTEMPTS {
            return false;
        }
        thread::sleep(Duration::from_micros(u64::from(self.0.min(100)) * 20));
        true
    }
}

impl<S: OrderedKeyValue + Batcher + ?Sized> KeyValueGraph<'_, S> {
    /// Makes the writes that `decide` adds to a draft; again from the start when another write has changed what they rest
    /// on. Removals that were cut short are ended first.
    pub(super) fn write<T>(
        &self,
        ctx: &dyn Context,
        mut decide: impl FnMut(&mut Draft<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut race = Race::default();
        loop {
            let scene = self.scene(ctx)?;
            if self.is_cut_short(&scene) {
                drop(scene);
                self.end_removals(ctx)?;
                continue;
            }
            let mut batch = self.store.batch(ctx)?;
            let mut draft = Draft::new(&scene, &mut *batch)?;
            let answer = decide(&mut draft)?;
            if let Some(id) = draft.remains {
                drop(batch);
                drop(scene);
                self.take_remains(ctx, id)?;
                continue;
            }
            drop(scene);
            match batch.commit() {
                Err(error) if race.goes_on(error.kind()) => {}
                outcome => return outcome.map(|()| answer),
            }
        }
    }

    /// Adds items in batches, smaller ones where the engine takes no larger.
    pub(super) fn write_all(&self, ctx: &dyn Context, items: &[Item]) -> Result<()> {
        let (mut rest, mut most) = (items, ITEMS_AT_ONCE);
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(most.min(fitting(rest)));
            let written = self.write(ctx, |draft| piece.iter().try_for_each(|item| draft.add(item)));
            match written {
                Err(error) if error.kind() == ErrorKind::TooLarge && piece.len() > 1 => {
                    most = piece.len() / 2;
                }
                outcome => {
                    outcome?;
                    rest = behind;
                }
            }
        }
        Ok(())
    }
}

/// How many of the first items fit into one batch: one at least.
fn fitting(items: &[Item]) -> usize {
    let mut bytes = 0;
    let fit = items.iter().take(ITEMS_AT_ONCE).take_while(|item| {
        let before = bytes;
        if let Item::VertexProperty(_, _, value) | Item::EdgeProperty(_, _, _, value) = item {
            bytes += value.len();
        }
        before == 0 || bytes <= BYTES_AT_ONCE
    });
    fit.count().max(1)
}
