//! The kit catches stores that forget, by the case that is named for what they forget.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod engine;
mod log;

use std::process::ExitCode;

use conformance::{Options, Outcome, Target, run, serve_child};
use engine_api::Engine;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use engine::{ENGINES, Flaw, LogEngine};

/// Each flaw, the case that must fail on a store with it, and what that case must say.
const CAUGHT: &[(Flaw, &str, &str)] = &[
    (Flaw::NeverSyncs, "power.durable-commits-survive-a-cut", "are lost"),
    (Flaw::ChecksNoSums, "power.durable-commits-survive-a-cut", "after cut"),
    (Flaw::FlushesNothing, "power.flushed-commits-survive-a-cut", "are lost"),
    (Flaw::WritesLater, "power.commits-of-any-durability-are-a-prefix-after-a-cut", "after cut"),
    (Flaw::SyncsNoFolder, "power.a-cut-during-creation-leaves-a-store-or-none", "can't be opened"),
    (Flaw::IgnoresFailedSyncs, "power.failed-sync-loses-nothing-acknowledged", "are lost"),
    (Flaw::GoesOnAfterFailedSyncs, "power.failed-sync-loses-nothing-acknowledged", "are lost"),
    (Flaw::IgnoresFailedWrites, "power.failed-write-loses-nothing-acknowledged", "are lost"),
    (Flaw::WritesOnce, "power.short-writes-are-completed-or-reported", "are lost"),
    (Flaw::LeavesHalfARecord, "power.full-disk-is-reported-and-passes", "are lost"),
    (Flaw::TakesFailedReadsForTheEnd, "power.failed-read-is-reported", "entries were read of"),
    (Flaw::BuffersInTheProcess, "persistence.random-kills-keep-a-prefix", "are lost"),
];

/// Enough for the rarest of them.
const ROUNDS: usize = 30;

fn main() -> ExitCode {
    let engines: Vec<&'static dyn Engine> = ENGINES.iter().map(|engine| engine as &dyn Engine).collect();
    if let Some(code) = serve_child(&engines) {
        return code;
    }
    let mut trials: Vec<Trial> = CAUGHT
        .iter()
        .map(|(flaw, case, says)| {
            Trial::ignorable_test(format!("{flaw:?}"), move || caught(*flaw, case, says))
        })
        .collect();
    trials.push(Trial::ignorable_test("the_same_store_without_a_flaw_passes", sound));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn target(flaw: Flaw) -> Target {
    let engine: &'static LogEngine = ENGINES.iter().find(|engine| engine.flaw == flaw).unwrap();
    let scheme = engine.descriptor().schemes[0];
    Target::new(engine, move |dir| format!("{scheme}:{}", dir.join("store").display()))
}

fn caught(flaw: Flaw, case: &str, says: &str) -> Result<Completion, Failed> {
    let options = Options::new().only(case).rounds(ROUNDS).with_child_process();
    let report = run(&target(flaw), &options);
    let found =
        report.cases.iter().find(|done| done.id == case).ok_or_else(|| format!("there is no {case}"))?;
    let message = found.message.clone().unwrap_or_default();
    match found.outcome {
        Outcome::Failed if message.contains(says) => Ok(Completion::Completed),
        Outcome::Failed => Err(Failed::from(format!("{case} fails otherwise than by {says:?}: {message}"))),
        Outcome::Ignored => Ok(Completion::ignored_with(message)),
        _ => Err(Failed::from(format!("{flaw:?} isn't caught by {case}"))),
    }
}

fn sound() -> Result<Completion, Failed> {
    let options =
        Options::new().only("power.").only("persistence.random-kills").rounds(ROUNDS).with_child_process();
    let report = run(&target(Flaw::None), &options);
    if report.failed > 0 {
        return Err(Failed::from(report.to_text()));
    }
    match report.with_outcome(Outcome::Ignored).next() {
        Some(ignored) => Ok(Completion::ignored_with(ignored.message.clone().unwrap_or_default())),
        None => Ok(Completion::Completed),
    }
}
