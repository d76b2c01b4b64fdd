//! Random programs against a store and an ordered map, which must agree.

mod action;
mod generate;
mod play;
mod shrink;

use crate::context::Context;
use crate::verdict::{Halt, Verdict};

pub use action::Action;
pub use play::replay;

/// What random programs are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// How many actions a program has.
    actions: usize,
    /// How many programs are tried.
    programs: u64,
    /// What is put before every key, so that few fit a page.
    stem: usize,
    /// The longest value.
    value: usize,
    /// Whether the store is closed and opened again now and then.
    reopens: bool,
}

impl Shape {
    pub(crate) const SMALL_KEYS: Self =
        Self { actions: 300, programs: 12, stem: 0, value: 8, reopens: false };
    pub(crate) const LONG_KEYS: Self =
        Self { actions: 200, programs: 4, stem: 180, value: 3000, reopens: false };
    pub(crate) const REOPENING: Self = Self { actions: 150, programs: 3, stem: 0, value: 40, reopens: true };
}

/// Plays random programs; the first on which the store and the map part is made small and shown, ready to
/// be pasted into a test.
pub(crate) fn agrees(ctx: &Context, shape: &Shape) -> Verdict {
    for number in 0..shape.programs {
        let seed = ctx.seed().wrapping_add(number);
        let program = generate::program(seed, shape, ctx.capabilities());
        if let Err(parted) = play::on_a_fresh_store(ctx, &format!("program {number}"), &program) {
            let (program, parted) = shrink::smaller(ctx, program, parted);
            let listing: Vec<_> = program.iter().map(|action| format!("    Action::{action:?},\n")).collect();
            return Err(Halt::failed(format!(
                "seed {seed}: {parted}\nthe program, for conformance::replay(&store, &[…]):\n{}",
                listing.concat()
            )));
        }
    }
    Ok(())
}
