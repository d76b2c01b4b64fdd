//! The kit catches stores that are wrong in one way each, by the cases that are named for them.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::process::ExitCode;

use conformance::mutants::{Mutant, catalogue, reference, reference_with_graphs};
use conformance::{Options, Report, Target, run, serve_child};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    // Kills are of this program, started again.
    if let Some(code) = serve_child(&[]) {
        return code;
    }
    let mut trials: Vec<_> =
        catalogue().map(|mutant| Trial::test(mutant.name(), move || is_caught(mutant))).collect();
    trials.extend([
        test("the_same_store_without_a_flaw_passes", the_same_store_without_a_flaw_passes),
        test("graphs_of_its_own_without_a_flaw_pass", graphs_of_its_own_without_a_flaw_pass),
        test("there_are_forty_at_least", || assert!(catalogue().count() >= 40)),
        test("a_failed_random_case_gives_a_test_to_paste", a_failed_random_case_gives_a_test_to_paste),
        test("a_failed_random_history_gives_a_test_to_paste", a_failed_random_history_gives_a_test_to_paste),
        test("a_failed_random_graph_gives_a_test_to_paste", a_failed_random_graph_gives_a_test_to_paste),
        test("a_hang_is_told", a_hang_is_told),
    ]);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn test(name: &str, check: fn()) -> Trial {
    Trial::test(name, move || {
        check();
        Ok(())
    })
}

fn options() -> Options {
    Options::new().with_child_process()
}

fn is_caught(mutant: &'static Mutant) -> Result<(), Failed> {
    let kill = mutant.hunt(&options());
    if kill.is_caught() { Ok(()) } else { Err(format!("{kill:#?}").into()) }
}

fn the_same_store_without_a_flaw_passes() {
    let report = run(&reference(), &options());
    assert!(report.is_success() && report.passed > 200, "{}", report.to_text());
}

fn graphs_of_its_own_without_a_flaw_pass() {
    let report = run(&reference_with_graphs(), &options().group("graph"));
    assert!(report.is_success() && report.passed > 50, "{}", report.to_text());
}

fn mutant(name: &str) -> Target {
    catalogue().find(|mutant| mutant.name() == name).unwrap().target()
}

fn message(report: &Report) -> &str {
    report.cases[0].message.as_deref().unwrap()
}

fn a_failed_random_case_gives_a_test_to_paste() {
    let report =
        run(&mutant("deletes-ranges-last"), &Options::new().only("batch.random-program-agrees-with-model"));
    let message = message(&report);
    assert!(message.contains("seed ") && message.contains("replay(&target, &program)"), "{message}");
    let actions = message.lines().filter(|line| line.trim_start().starts_with("Action::")).count();
    assert!((1..=3).contains(&actions), "the program isn't small: {message}");
}

fn a_failed_random_history_gives_a_test_to_paste() {
    let report = run(&mutant("empty-is-absent"), &Options::new().only("versioned.random-history"));
    let message = message(&report);
    assert!(message.contains("seed ") && message.contains("replay_versions(&target, &program)"), "{message}");
}

fn a_failed_random_graph_gives_a_test_to_paste() {
    let report = run(&mutant("graph-removes-next-too"), &Options::new().only("graph.random-program-agrees"));
    let message = message(&report);
    assert!(
        message.contains("seed ") && message.contains("replay_graph(&target, false, &program)"),
        "{message}"
    );
    let actions = message.lines().filter(|line| line.trim_start().starts_with("GraphAction::")).count();
    assert!((1..=12).contains(&actions), "the program isn't small: {message}");
}

fn a_hang_is_told() {
    let options = Options::new()
        .only("persistence.flush-with-nothing-to-do")
        .timeout(std::time::Duration::from_millis(300));
    let report = run(&mutant("flush-hangs"), &options);
    assert!(report.failed == 1 && report.to_text().contains("hangs"), "{}", report.to_text());
}
