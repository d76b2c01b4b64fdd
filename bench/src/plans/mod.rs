//! What is measured.

mod batches;
mod points;
mod scans;
mod tangles;
mod versions;

use std::fmt;

use engine_api::Reads;

use super::Outcome;
use super::clock::Clock;
use super::contest::Contest;
use super::stage::Stage;
use super::target::Target;

/// An operation that is to be measured. Its stores are made, and its snapshots taken, when its turn comes.
pub(crate) struct Plan<'a> {
    /// What is done.
    pub(crate) operation: String,
    /// What it may cost.
    pub(crate) target: Target,
    /// The clock to go by.
    pub(crate) clock: Clock,
    /// Makes it ready.
    pub(crate) prepare: Box<dyn FnOnce() -> Outcome<Contest<'a>> + 'a>,
}

impl<'a> Plan<'a> {
    fn new(
        operation: impl Into<String>,
        target: Target,
        prepare: impl FnOnce() -> Outcome<Contest<'a>> + 'a,
    ) -> Self {
        Self { operation: operation.into(), target, clock: Clock::Thread, prepare: Box::new(prepare) }
    }

    fn on_the_wall(self) -> Self {
        Self { clock: Clock::Wall, ..self }
    }
}

impl fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("operation", &self.operation)
            .field("target", &self.target)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// Everything that is measured of an engine.
pub(crate) fn all<'a>(stage: &'a Stage<'_>) -> Vec<Plan<'a>> {
    let mut plans = points::plans(stage);
    plans.extend(scans::plans(stage));
    plans.extend(batches::plans(stage));
    plans.extend(versions::plans(stage));
    plans.extend(tangles::plans(stage));
    if stage.contender.descriptor().capabilities.reads != Reads::Snapshot {
        // A view that takes no snapshot is the same whether it is held or not.
        plans.retain(|plan| !plan.operation.ends_with("a view each"));
    }
    plans
}
