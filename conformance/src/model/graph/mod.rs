//! Programs of graphs, beside petgraph.

mod action;
mod machine;
mod oracle;
mod play;

use std::time::{Duration, Instant};

use engine_api::Persistence;

use crate::context::Context;
use crate::verdict::Verdict;

use machine::Graphs;

pub use action::GraphAction;
pub use play::replay_graph;

/// Whether a program goes on at other versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grows {
    /// The data has no versions.
    Flat,
    /// It has.
    Versions,
}

/// How long a case goes on making programs. The first are the same on every machine.
const TIME: Duration = Duration::from_millis(700);
const LENGTHS: [usize; 4] = [15, 30, 60, 90];

/// Plays random programs; the first on which the store and petgraph part is made small and shown as a test.
pub(crate) fn graph_agrees(ctx: &Context, case: &str, grows: Grows) -> Verdict {
    let begun = Instant::now();
    for number in 0.. {
        if number >= LENGTHS.len() && begun.elapsed() > TIME {
            break;
        }
        let persistent = ctx.capabilities().persistence != Persistence::Memory;
        let length = LENGTHS[number % LENGTHS.len()];
        let seed = ctx.seed().wrapping_add(number as u64);
        let play = match grows {
            Grows::Flat => play::flat,
            Grows::Versions => play::versioned,
        };
        super::program_agrees(ctx, case, Graphs::new(grows, persistent), (seed, length), play)?;
    }
    Ok(())
}
