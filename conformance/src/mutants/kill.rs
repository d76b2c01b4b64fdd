//! Which cases catch which mutant.

use std::ops::ControlFlow;
use std::time::Instant;

use serde::Serialize;

use super::workers::{Workers, is_late};
use super::{Mutant, catalogue, reference};
use crate::case::Case;
use crate::catalogue::catalogue as cases;
use crate::jobs::{Moment, in_order};
use crate::outcome::{CaseReport, Outcome};
use crate::report::Report;
use crate::runner::{Progress, run_with};
use crate::target::Options;

/// Which cases mutants are put to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Those that are named for each.
    #[default]
    Named,
    /// Every case of the kit. A mutant that hangs still has its own alone.
    All,
}

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Kill {
    /// The mutant's name.
    pub mutant: String,
    /// What is wrong with it.
    pub wrong: String,
    /// The cases that caught it, in the order of the catalogue.
    pub caught_by: Vec<String>,
    /// The cases that are named for it and didn't.
    pub missed_by: Vec<Missed>,
    /// Whether nothing but random programs and histories beside a model caught it.
    pub by_models_alone: bool,
}

/// A case that should have caught a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Missed {
    /// The case's name.
    pub case: String,
    /// How it ended.
    pub why: String,
}

impl Kill {
    fn new(mutant: &Mutant, outcomes: &[(&'static Case, &CaseReport)]) -> Self {
        let caught =
            |done: &CaseReport| done.outcome == Outcome::Failed && (mutant.hangs || !is_late(mutant, done));
        let caught_by: Vec<_> =
            outcomes.iter().filter(|(_, done)| caught(done)).map(|(case, _)| *case).collect();
        let missed = outcomes
            .iter()
            .filter(|(case, done)| mutant.cases.contains(&case.id) && !caught(done))
            .map(|(case, done)| Missed { case: case.id.to_owned(), why: why(done) });
        Self {
            mutant: mutant.name.to_owned(),
            wrong: mutant.wrong.to_owned(),
            missed_by: missed.collect(),
            by_models_alone: !caught_by.is_empty() && caught_by.iter().all(|case| case.is_random()),
            caught_by: caught_by.into_iter().map(|case| case.id.to_owned()).collect(),
        }
    }

    /// Whether each case that is named for the mutant caught it, and one of them knows what is wrong.
    pub fn is_caught(&self) -> bool {
        !self.caught_by.is_empty() && self.missed_by.is_empty() && !self.by_models_alone
    }
}

fn why(done: &CaseReport) -> String {
    match (done.outcome, &done.message) {
        (Outcome::Failed, _) => "it hangs".to_owned(),
        (outcome, Some(message)) => format!("{}: {message}", outcome.as_str()),
        (outcome, None) => outcome.as_str().to_owned(),
    }
}

/// What a hunt for all mutants found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KillTable {
    /// What became of each mutant.
    pub mutants: Vec<Kill>,
    /// The whole kit on the store without a flaw.
    pub reference: Report,
    /// The cases that caught no mutant, where all were run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cases_that_catch_none: Option<Vec<String>>,
    /// How long it took.
    pub seconds: f64,
}

impl KillTable {
    /// Whether every mutant is caught and the store without a flaw passes.
    pub fn is_success(&self) -> bool {
        self.survivors().next().is_none() && self.reference.is_success()
    }

    /// The mutants that aren't caught as they must be.
    pub fn survivors(&self) -> impl Iterator<Item = &Kill> {
        self.mutants.iter().filter(|kill| !kill.is_caught())
    }
}

/// A mutant, by its place in the catalogue, and a case that is put to it.
type Hunt = (usize, &'static Case);

impl Mutant {
    /// The cases of a scope, in the order of the catalogue.
    fn hunters(&'static self, scope: Scope) -> impl Iterator<Item = &'static Case> {
        let named = scope == Scope::Named || self.hangs;
        cases().filter(move |case| !named || self.cases.contains(&case.id))
    }

    /// Runs the cases that are named for the mutant. Of the options the seed and the scratch folder count, and whether
    /// there is a child process.
    pub fn hunt(&'static self, options: &Options) -> Kill {
        let runner = self.runner(options);
        let done: Vec<_> =
            self.hunters(Scope::Named).map(|case| (case, runner.run(case, options.seed))).collect();
        let outcomes: Vec<_> = done.iter().map(|(case, done)| (*case, done)).collect();
        Kill::new(self, &outcomes)
    }
}

/// Runs the cases of the scope on every mutant, and the whole kit on the store without a flaw. `watch` is told of each
/// case with the number of those that are to run, and ends the hunt with [`ControlFlow::Break`]: `None` is answered then.
///
/// Of the options the seed, the scratch folder and the jobs count for the mutants, and whether there is a child process:
/// with one their cases run in processes of their own, which end where a case hangs.
pub fn kill_table(
    options: &Options,
    scope: Scope,
    mut watch: impl FnMut(&str, usize) -> ControlFlow<()>,
) -> Option<KillTable> {
    let begun = Instant::now();
    let mutants: Vec<_> = catalogue().collect();
    let hunts: Vec<Hunt> = mutants
        .iter()
        .enumerate()
        .flat_map(|(at, mutant)| mutant.hunters(scope).map(move |case| (at, case)))
        .collect();
    let total = hunts.len() + cases().count();
    let mut whole = true;
    let mut told = |name: &str| {
        let flow = watch(name, total);
        whole &= flow.is_continue();
        flow
    };
    let all = Options {
        filters: Vec::new(),
        groups: Vec::new(),
        waivers: Vec::new(),
        repeat: 1,
        ..options.clone()
    };
    let reference = run_with(&reference(), &all, |progress| match progress {
        Progress::Begun(_) => ControlFlow::Continue(()),
        Progress::Ended(done) => told(&done.id),
    });
    let workers = Workers::new(options);
    let done = in_order(
        &hunts,
        options.jobs,
        |(at, case)| (*at, *case, workers.run(mutants[*at], case)),
        |moment| match moment {
            Moment::Begun(_) => ControlFlow::Continue(()),
            Moment::Ended((at, ..)) => told(mutants[*at].name),
        },
    );
    if !whole {
        return None;
    }
    let kills = mutants.iter().enumerate().map(|(at, mutant)| {
        let of_it = done.iter().flatten().filter(|(of, ..)| *of == at);
        let outcomes: Vec<_> = of_it.map(|(_, case, done)| (*case, done)).collect();
        Kill::new(mutant, &outcomes)
    });
    let kills: Vec<_> = kills.collect();
    let idle = |case: &&Case| !kills.iter().any(|kill| kill.caught_by.iter().any(|id| id == case.id));
    let cases_that_catch_none =
        (scope == Scope::All).then(|| cases().filter(idle).map(|case| case.id.to_owned()).collect());
    Some(KillTable {
        mutants: kills,
        reference,
        cases_that_catch_none,
        seconds: begun.elapsed().as_secs_f64(),
    })
}
