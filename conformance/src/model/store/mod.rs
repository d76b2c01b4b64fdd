//! Programs of operations, batches, views and cursors, beside an ordered map.

mod action;
mod machine;
mod play;

use crate::context::Context;
use crate::verdict::Verdict;

use machine::Operations;

pub use action::Action;
pub use play::replay;

/// What random programs are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// How many actions each program has. The short come first: what fails them is small already.
    lengths: &'static [usize],
    /// What is put before every key, so that few fit a page.
    stem: usize,
    /// The longest value.
    value: usize,
    /// Whether the store is closed and opened again now and then.
    reopens: bool,
}

impl Shape {
    pub(crate) const SMALL_KEYS: Self = Self {
        lengths: &[25, 25, 50, 50, 100, 100, 200, 200, 300, 300, 300, 300, 300, 300],
        stem: 0,
        value: 8,
        reopens: false,
    };
    pub(crate) const LONG_KEYS: Self =
        Self { lengths: &[30, 60, 120, 200, 200, 200], stem: 180, value: 3000, reopens: false };
    pub(crate) const REOPENING: Self =
        Self { lengths: &[20, 40, 100, 150, 150], stem: 0, value: 40, reopens: true };
}

/// Plays random programs; the first on which the store and the map part is made small and shown as a test.
pub(crate) fn agrees(ctx: &Context, case: &str, shape: Shape) -> Verdict {
    for (number, length) in (0..).zip(shape.lengths) {
        let machine = Operations::new(shape, *ctx.capabilities());
        let seed = ctx.seed().wrapping_add(number);
        super::program_agrees(ctx, case, machine, (seed, *length), play::at_place)?;
    }
    Ok(())
}
