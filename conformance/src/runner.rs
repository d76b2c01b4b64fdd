//! Running cases: which apply, under a watchdog, each in a place of its own.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use engine_api::Result;
use tempfile::TempDir;

use crate::case::Case;
use crate::catalogue::catalogue;
use crate::context::{Context, Place, scratch};
use crate::jobs::{Moment, in_order};
use crate::need::Facts;
use crate::outcome::{CaseReport, Outcome};
use crate::repeat::merged;
use crate::report::Report;
use crate::target::{Options, Target};
use crate::verdict::{Halt, Verdict};
use crate::watchdog::watched;

/// Where a run stands.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Progress<'r> {
    /// A case begins.
    Begun(&'static Case),
    /// A case has ended.
    Ended(&'r CaseReport),
}

/// Runs the cases on a target, as many at once as the options say.
///
/// A report in which no case ran is a failure: see [`Report::is_success`].
pub fn run(target: &Target, options: &Options) -> Report {
    run_with(target, options, |_| ControlFlow::Continue(()))
}

/// The same, and tells `watch` when cases begin and end. When it breaks, no more cases begin, and the report has those
/// that ended.
pub fn run_with(
    target: &Target,
    options: &Options,
    mut watch: impl FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Report {
    let begun = Instant::now();
    let runner = Runner::new(target, options);
    let mut report = Report::new(target, options, runner.facts.as_ref().ok().map(|facts| facts.capabilities));
    let cases: Vec<&'static Case> = catalogue().filter(|case| options.asks_for(case.id)).collect();
    let runs: Vec<_> = options.seeds().flat_map(|seed| cases.iter().map(move |case| (seed, *case))).collect();
    let done = in_order(
        &runs,
        options.jobs,
        |(seed, case)| runner.run(case, *seed),
        |moment| {
            watch(match moment {
                Moment::Begun((_, case)) => Progress::Begun(case),
                Moment::Ended(done) => Progress::Ended(done),
            })
        },
    );
    for at in 0..cases.len() {
        // The same case of each repetition.
        let outcomes = done.iter().skip(at).step_by(cases.len()).flatten().cloned();
        if let Some(merged) = merged(outcomes.collect(), options) {
            report.push(merged);
        }
    }
    for (id, _) in &options.waivers {
        if !catalogue().any(|case| case.id == id) {
            report.push(unknown_waiver(id));
        }
    }
    report.finish(begun.elapsed());
    report
}

/// A waiver that names no case would otherwise wait for ever to expire.
pub(crate) fn unknown_waiver(id: &str) -> CaseReport {
    CaseReport {
        id: id.to_owned(),
        group: id.split_once('.').map_or(id, |(group, _)| group).to_owned(),
        outcome: Outcome::Failed,
        message: Some("the waiver names no case of the catalogue".to_owned()),
        seconds: 0.0,
        failures: Vec::new(),
    }
}

/// Runs single cases on one target.
#[derive(Debug)]
pub(crate) struct Runner {
    target: Target,
    options: Options,
    facts: Result<Facts, String>,
    /// All stores are in it, so that what a case that hangs holds on to goes with the rest.
    _root: Option<TempDir>,
}

impl Runner {
    pub(crate) fn new(target: &Target, options: &Options) -> Self {
        let root = scratch(options).ok();
        let options = match &root {
            Some(root) => options.clone().scratch(root.path()),
            // Each case will say what is wrong with the folder.
            None => options.clone(),
        };
        let facts = probe(target, &options).map_err(|halt| match halt {
            Halt::Failed(message) | Halt::Ignored(message) => {
                format!("no store can be opened to ask what it declares: {message}")
            }
        });
        Self { target: target.clone(), options, facts, _root: root }
    }

    pub(crate) fn run(&self, case: &'static Case, seed: u64) -> CaseReport {
        let begun = Instant::now();
        let verdict = self.verdict(case, seed);
        let waiver = self.options.waivers.iter().find(|(id, _)| id == case.id).map(|(_, reason)| reason);
        let (outcome, message) = match (verdict, waiver) {
            (Ok(()), None) => (Outcome::Passed, None),
            (Ok(()), Some(_)) => {
                (Outcome::Failed, Some("the waiver has expired: the case passes".to_owned()))
            }
            (Err(Halt::Ignored(reason)), _) => (Outcome::Ignored, Some(reason)),
            (Err(Halt::Failed(message)), None) => (Outcome::Failed, Some(message)),
            (Err(Halt::Failed(message)), Some(reason)) => {
                (Outcome::Waived, Some(format!("{reason} ({message})")))
            }
        };
        CaseReport {
            id: case.id.to_owned(),
            group: case.group().to_owned(),
            outcome,
            message,
            seconds: begun.elapsed().as_secs_f64(),
            failures: Vec::new(),
        }
    }

    fn verdict(&self, case: &'static Case, seed: u64) -> Verdict {
        let facts = *self.facts.as_ref().map_err(Halt::failed)?;
        if let Some(reason) = case.needs.iter().find_map(|need| need.unmet(&facts)) {
            return Err(Halt::ignored(reason));
        }
        let (target, options) = (self.target.clone(), self.options.clone().seed(seed));
        watched(case.id, self.options.timeout, self.options.child_process, move || {
            let context = Context::new(&target, &options, facts)?;
            let verdict = caught(|| (case.run)(&context));
            let cleared = caught(|| Ok(context.destroy()?));
            verdict.and(cleared.map_err(|halt| match halt {
                Halt::Failed(message) => {
                    Halt::failed(format!("the store can't be destroyed after the case: {message}"))
                }
                ignored @ Halt::Ignored(_) => ignored,
            }))
        })
    }
}

/// Opens a store to read what it declares: a descriptor only says what default options give.
fn probe(target: &Target, options: &Options) -> Verdict<Facts> {
    let dir = scratch(options)?;
    let (target, path) = (target.clone(), dir.path().to_owned());
    let child_process = options.child_process;
    let facts = move || {
        caught(|| {
            let place = Place::new(&target, &path)?;
            let capabilities = *place.open()?.capabilities();
            place.destroy()?;
            Ok(Facts {
                capabilities,
                local_path: place.config().path().is_some() && place.config().authority().is_none(),
                default_options: !place.url().contains('?'),
                child_process,
            })
        })
    };
    watched("probe", options.timeout, child_process, facts)
}

fn caught<T>(work: impl FnOnce() -> Verdict<T>) -> Verdict<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "without a message".to_owned());
        Err(Halt::failed(format!("a panic: {text}")))
    })
}
