//! Random programs against a store and a model, which must agree.
//!
//! Programs are sequences of a proptest state machine: what comes next depends on what the model holds by
//! then, so that requirements hold as often as they fail, and views that are read were taken. The machine
//! is driven from here rather than by the macro, which takes its seed from the environment and panics.

mod drive;
mod graph;
mod interned;
mod regression;
mod store;
mod versions;

use std::time::{Duration, Instant};

use crate::context::Context;
use crate::verdict::{Halt, Verdict};

use drive::{Machine, Program};

pub use graph::{GraphAction, replay_graph};
pub(crate) use graph::{Grows, graph_agrees};
pub use store::{Action, replay};
pub(crate) use store::{Shape, agrees};
pub use versions::{VersionAction, replay_versions};
pub(crate) use versions::{Weights, history_agrees};

/// What is not small by then is shown as it is.
const PATIENCE: Duration = Duration::from_secs(8);

/// Where a program and its model part.
#[derive(Clone, Debug)]
struct Parted {
    /// How many actions were begun.
    seen: usize,
    message: String,
}

impl Parted {
    fn at<A: std::fmt::Debug>(at: usize, action: &A, halt: Halt) -> Self {
        let (Halt::Failed(message) | Halt::Ignored(message)) = halt;
        Self { seen: at + 1, message: format!("at action {at}, {action:?}: {message}") }
    }

    /// Before the first action, or after the last of `length`.
    fn beside(length: usize, halt: Halt) -> Self {
        let (Halt::Failed(message) | Halt::Ignored(message)) = halt;
        Self { seen: length, message }
    }
}

/// Plays one random program; where it parts from the model it is made small and shown as a test.
fn program_agrees<M: Machine>(
    ctx: &Context,
    case: &str,
    machine: M,
    (seed, length): (u64, usize),
    play: fn(&crate::context::Place, &[M::Action]) -> Result<(), Parted>,
) -> Verdict {
    let kind = machine.kind();
    let mut program = Program::new(machine, seed, length)?;
    let mut number = 0;
    let mut on_a_fresh_store = |actions: &[M::Action]| {
        number += 1;
        let failed = |halt| Parted::beside(0, halt);
        let place = ctx.elsewhere(&format!("program {seed} {number}")).map_err(failed)?;
        let outcome = play(&place, actions);
        let destroyed = place.destroy().map_err(|error| {
            let halt = Halt::failed(format!("the store can't be destroyed: {error:?}"));
            Parted::beside(actions.len(), halt)
        });
        outcome.and(destroyed)
    };
    let Err(parted) = on_a_fresh_store(&program.actions()) else { return Ok(()) };
    let (actions, parted) = program.smallest(parted, Instant::now() + PATIENCE, on_a_fresh_store);
    let test = regression::test(ctx.target(), case, kind, &actions);
    Err(Halt::failed(format!("seed {seed}: {}\nas a test:\n\n{test}", parted.message)))
}
