//! Programs of versions and what is written at them, beside the rule as it reads.

mod action;
mod dag;
mod machine;
mod play;

use std::time::{Duration, Instant};

use engine_api::Persistence;

use crate::context::Context;
use crate::verdict::Verdict;

use machine::Histories;

pub use action::VersionAction;
pub use play::replay_versions;

/// How often a history reads in each way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights {
    pub(crate) keys: u32,
    pub(crate) ranges: u32,
    pub(crate) conflicts: u32,
}

/// How long a case goes on making histories. The first are the same on every machine.
const TIME: Duration = Duration::from_secs(1);
const LENGTHS: [usize; 4] = [15, 30, 60, 90];

/// Plays random histories; the first on which the store and the rule part is made small and shown as a test.
pub(crate) fn history_agrees(ctx: &Context, case: &str, weights: Weights) -> Verdict {
    let begun = Instant::now();
    for number in 0.. {
        if number >= LENGTHS.len() && begun.elapsed() > TIME {
            break;
        }
        let persistent = ctx.capabilities().persistence != Persistence::Memory;
        let length = LENGTHS[number % LENGTHS.len()];
        let seed = ctx.seed().wrapping_add(number as u64);
        super::program_agrees(
            ctx,
            case,
            Histories::new(weights, persistent),
            (seed, length),
            play::at_place,
        )?;
    }
    Ok(())
}
