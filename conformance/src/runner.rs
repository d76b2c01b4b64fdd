//! Running cases: which apply, under a watchdog, each in a place of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use engine_api::Result;

use crate::case::Case;
use crate::catalogue::catalogue;
use crate::context::{Context, Place, scratch};
use crate::need::Facts;
use crate::report::{CaseReport, Outcome, Report};
use crate::target::{Options, Target};
use crate::verdict::{Halt, Verdict};
use crate::watchdog::watched;

/// Runs the cases on a target, one after another.
///
/// A report in which no case ran is a failure: see [`Report::is_success`].
pub fn run(target: &Target, options: &Options) -> Report {
    run_with(target, options, |_| {})
}

/// The same, and calls `watch` after each case.
pub fn run_with(target: &Target, options: &Options, mut watch: impl FnMut(&CaseReport)) -> Report {
    let runner = Runner::new(target, options);
    let mut report = Report::new(target, runner.facts.as_ref().ok().map(|facts| &facts.capabilities));
    let wanted = |case: &&Case| {
        options.filters.is_empty() || options.filters.iter().any(|f| case.id.contains(f.as_str()))
    };
    for case in catalogue().filter(wanted) {
        let done = runner.run(case);
        watch(&done);
        report.push(done);
    }
    for (id, _) in &options.waivers {
        if !catalogue().any(|case| case.id == id) {
            report.push(unknown_waiver(id));
        }
    }
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
    }
}

/// Runs single cases on one target.
#[derive(Debug)]
pub(crate) struct Runner {
    target: Target,
    options: Options,
    facts: Result<Facts, String>,
}

impl Runner {
    pub(crate) fn new(target: &Target, options: &Options) -> Self {
        let facts = probe(target, options).map_err(|halt| match halt {
            Halt::Failed(message) | Halt::Ignored(message) => {
                format!("no store can be opened to ask what it declares: {message}")
            }
        });
        Self { target: target.clone(), options: options.clone(), facts }
    }

    pub(crate) fn run(&self, case: &'static Case) -> CaseReport {
        let begun = Instant::now();
        let verdict = self.verdict(case);
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
        }
    }

    fn verdict(&self, case: &'static Case) -> Verdict {
        let facts = *self.facts.as_ref().map_err(Halt::failed)?;
        if let Some(reason) = case.needs.iter().find_map(|need| need.unmet(&facts)) {
            return Err(Halt::ignored(reason));
        }
        let (target, options) = (self.target.clone(), self.options.clone());
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
