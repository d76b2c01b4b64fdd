//! How a run is counted: waivers, reasons, and runs that prove nothing.

use conformance::{Options, Outcome, Target, catalogue, catalogue_markdown, run};
use engine_api::MEMORY;

fn memory() -> Target {
    Target::new(&MEMORY, |_| "memory:".to_owned())
}

#[test]
fn the_memory_engine_passes_outside_of_a_test_binary() {
    let report = run(&memory(), &Options::new());
    assert!(report.is_success(), "{}", report.to_text());
    assert_eq!(report.passed + report.ignored, catalogue().count());
    assert!(report.with_outcome(Outcome::Ignored).all(|case| case.message.is_some()));
    assert!(report.to_text().contains("declares persistence = memory"));
}

#[test]
fn a_run_of_nothing_fails() {
    let nothing = run(&memory(), &Options::new().only("no such case"));
    assert!(!nothing.is_success());
    assert!(nothing.to_text().contains("no case ran"));
    let ignored = run(&memory(), &Options::new().only("persistence.reopen-keeps-committed"));
    assert_eq!((ignored.ignored, ignored.is_success()), (1, false));
}

#[test]
fn a_waiver_of_a_case_that_passes_has_expired() {
    let report =
        run(&memory(), &Options::new().only("point.put-then-get").waive("point.put-then-get", "a bug"));
    assert_eq!(report.failed, 1);
    assert!(report.to_text().contains("expired"));
}

#[test]
fn a_waiver_of_no_case_fails() {
    let report = run(&memory(), &Options::new().only("point.put-then-get").waive("point.no-such", "a bug"));
    assert_eq!((report.passed, report.failed), (1, 1));
    assert!(report.to_text().contains("names no case"));
}

#[test]
fn a_store_that_cannot_be_opened_fails_every_case() {
    let broken = Target::new(&MEMORY, |dir| format!("memory:{}", dir.display()));
    let report = run(&broken, &Options::new().only("point."));
    assert_eq!(report.passed + report.ignored, 0);
    assert!(report.cases[0].message.as_deref().unwrap().contains("no path"), "{}", report.to_text());
}

#[test]
fn the_catalogue_is_rendered_whole() {
    let markdown = catalogue_markdown();
    for case in catalogue() {
        assert!(markdown.contains(&format!("| `{}` |", case.id)), "{} is missing", case.id);
    }
}
