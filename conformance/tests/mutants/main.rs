//! The kit catches stores that are wrong in one way each, by the case that is named for it.

mod engine;
mod store;
mod view;

use std::time::Duration;

use conformance::{Options, Outcome, Target, run};

use engine::{ENGINES, Flaw};

fn target(flaw: Flaw) -> Target {
    let found = ENGINES.iter().find(|engine| engine.flaw == flaw);
    let engine = found.unwrap_or_else(|| panic!("{flaw:?} has no engine"));
    Target::new(engine, |dir| format!("mutant:{}", dir.join("store").display()))
}

/// Fails unless each of the cases fails on a store with the flaw.
#[track_caller]
fn caught(flaw: Flaw, cases: &[&str]) {
    for case in cases {
        let options = Options::new().only(*case).timeout(Duration::from_secs(10));
        let report = run(&target(flaw), &options);
        let found = report.cases.iter().find(|done| done.id == *case);
        let found = found.unwrap_or_else(|| panic!("there is no case {case}"));
        assert_eq!(found.outcome, Outcome::Failed, "{flaw:?} isn't caught by {case}: {:?}", found.message);
        let message = found.message.as_deref().unwrap_or_default();
        assert!(!message.contains("hangs"), "{flaw:?} makes {case} hang in place of failing");
    }
}

macro_rules! mutants {
    ($($test:ident: $flaw:ident => [$($case:literal),+ $(,)?];)+) => {
        $(
            #[test]
            fn $test() {
                caught(Flaw::$flaw, &[$($case),+]);
            }
        )+
    };
}

mutants! {
    a_delete_that_is_dropped: DropsDeletes => ["point.delete-makes-key-absent", "scan.delete-then-scan-omits-key"];
    a_delete_that_stores_an_empty_value: DeleteStoresEmpty => [
        "point.delete-makes-key-absent",
        "point.delete-is-idempotent",
        "conditional.deleted-key-is-absent",
    ];
    an_empty_value_that_reads_as_absent: EmptyIsAbsent => [
        "point.empty-value-is-not-absent",
        "conditional.equals-empty-is-not-absent",
        "versioned.own-tombstone-hides-ancestors",
    ];
    a_value_that_is_cut_off: CutsValues => ["point.values-of-every-size-round-trip", "scan.large-values-are-complete"];
    a_read_by_prefix: ReadsByPrefix => ["point.prefix-of-a-key-is-another-key"];
    a_second_path_for_lent_values: LendsOtherwise => ["point.get-with-agrees-with-get", "point.exists-agrees-with-get"];
    an_end_that_is_included: EndIsIncluded => [
        "scan.excluded-end-is-not-visited",
        "scan.every-kind-of-bounds-agrees-with-model",
    ];
    keys_of_0xff_that_are_skipped: SkipsFf => [
        "scan.full-scan-includes-0xff-keys",
        "scan.range-end-unbounded-reaches-last-key",
        "scan.reverse-includes-0xff-keys",
    ];
    a_prefix_that_ends_at_0xff: PrefixEndsAtFf => ["scan.prefix-includes-0xff-suffix"];
    a_resume_that_skips_extensions: ResumeSkipsExtensions => [
        "scan.excluded-start-is-not-visited",
        "cursor.paging-resumes-at-key-extension",
    ];
    an_order_by_length: OrdersByLength => ["scan.order-is-bytewise", "scan.key-that-extends-another-follows-it"];
    a_panic_on_inverted_bounds: PanicsOnInverted => ["scan.inverted-bounds-are-empty"];
    a_value_of_the_entry_before: GivesValueBefore => ["scan.values-are-those-of-their-keys"];
    a_descending_scan_that_starts_late: ReverseStartsLate => [
        "scan.reverse-visits-in-descending-order",
        "cursor.reverse-visits-every-entry-in-order",
        "scan.first-and-last-of-a-range",
    ];
    a_seek_that_is_ignored: IgnoresSeeks => [
        "scan.seek-to-an-exact-key-visits-it",
        "scan.seeks-agree-with-model",
        "versioned.entries-of-others-are-sought-past",
    ];
    a_seek_that_goes_back: SeeksBack => ["scan.seek-behind-counts-as-next"];
    a_seek_that_leaves_the_bounds: SeekLeavesBounds => [
        "scan.seek-past-the-end-stops",
        "scan.seek-never-leaves-the-bounds",
    ];
    a_seek_that_lands_one_too_far: SeeksTooFar => [
        "scan.seek-to-an-exact-key-visits-it",
        "scan.seek-to-the-successor-is-next",
    ];
    a_stop_that_is_late: StopsLate => ["scan.stop-ends-at-once"];
    an_error_that_is_swallowed: SwallowsErrors => [
        "scan.visitor-error-is-returned",
        "errors.scan-reports-engine-error",
        "errors.cursor-reports-engine-error",
        "errors.range-helpers-report-engine-error",
        "versioned.delete-range-reports-scan-errors",
    ];
    a_scan_that_goes_on_after_an_error: GoesOnAfterError => [
        "errors.scan-is-fused-after-error",
        "scan.visitor-error-is-returned",
    ];
    a_live_view_that_claims_a_snapshot: LiveViews => [
        "view.pinned-at-creation",
        "view.pinned-against-every-kind-of-write",
        "view.several-views-each-see-their-own-state",
        "view.cursor-is-pinned-between-pages",
        "concurrency.view-is-stable-while-writers-run",
    ];
    a_view_that_is_pinned_at_its_first_read: PinsAtFirstRead => ["view.pinned-at-creation"];
    a_stale_view: StaleViews => ["view.new-view-sees-commit", "concurrency.commit-is-visible-to-other-threads"];
    views_that_are_never_given_back: LeaksViews => [
        "view.dropped-views-free-their-slots",
        "errors.repeated-errors-leak-nothing",
    ];
    requirements_that_are_judged_too_late: JudgesAfterwards => ["conditional.judged-before-operations"];
    requirements_that_are_ignored: IgnoresRequirements => [
        "conditional.absent-requirement",
        "conditional.present-requirement",
        "conditional.equals-requirement",
        "concurrency.put-if-absent-has-one-winner",
        "concurrency.compare-and-set-counts-every-increment",
        "versioned.batch-is-all-or-nothing",
        "versioned.batch-to-a-version-committed-meanwhile-is-refused",
    ];
    requirements_of_which_one_is_judged: JudgesOneRequirement => [
        "conditional.all-requirements-must-hold",
        "conditional.contradictory-requirements-conflict",
    ];
    requirements_that_are_skipped_without_operations: SkipsEmptyBatches => ["conditional.requirements-alone-are-judged"];
    requirements_that_are_judged_apart: JudgesApart => ["concurrency.put-if-absent-has-one-winner"];
    a_conflict_of_another_kind: ConflictIsBusy => ["conditional.failed-requirement-is-conflict"];
    a_batch_that_fails_half_way: LeavesHalf => [
        "batch.failed-batch-changes-nothing",
        "conditional.failed-requirement-changes-nothing",
    ];
    a_batch_that_is_seen_half_way: ShowsHalf => [
        "concurrency.readers-never-see-half-a-batch",
        "concurrency.range-delete-is-seen-whole",
    ];
    a_batch_that_deletes_first: DeletesFirst => ["batch.put-then-delete-leaves-absent"];
    a_batch_that_deletes_ranges_last: DeletesRangesLast => [
        "batch.delete-range-then-put-keeps-put",
        "batch.delete-range-between-two-puts",
        "batch.random-program-agrees-with-model",
    ];
    a_batch_that_keeps_the_first: FirstOperationWins => ["batch.last-operation-on-a-key-wins"];
    a_range_delete_of_one_page: DeletesOnePage => ["batch.delete-range-over-many-keys"];
    limits_that_are_not_kept: KeepsNoLimits => [
        "limits.key-over-limit-is-too-large",
        "limits.value-over-limit-is-too-large",
        "limits.batch-with-one-operation-over-limit-changes-nothing",
    ];
    a_long_key_that_cannot_be_read: RefusesLongReads => ["limits.key-over-limit-reads-as-absent"];
    a_limit_that_is_off_by_one: LimitIsOffByOne => ["limits.key-at-limit-round-trips"];
    a_denied_reverse_scan_that_works: DeniesReverse => ["scan.reverse-denied-answers-unsupported"];
    a_denied_range_delete_that_works: DeniesDeleteRange => ["batch.delete-range-denied-answers-unsupported"];
    a_denied_requirement_that_works: DeniesConditional => ["conditional.denied-answers-unsupported"];
    a_denied_durability_that_is_accepted: AcceptsAnyDurability => [
        "persistence.undeclared-durability-answers-unsupported",
    ];
    an_error_that_breaks_the_store: BreaksOnError => ["errors.store-usable-after-error", "limits.usable-after-too-large"];
    a_store_that_is_never_created: NeverCreated => ["open.created-is-reported"];
    one_store_for_all: OneStoreForAll => ["open.fresh-store-is-empty", "open.stores-are-independent"];
    a_disk_that_forgets: ForgetsOnClose => [
        "persistence.reopen-keeps-committed",
        "persistence.flush-keeps-relaxed-commits",
        "persistence.random-program-with-reopens-agrees-with-model",
    ];
    a_missing_store_that_is_created: CreatesMissing => [
        "open.existing-mode-refuses-what-is-missing",
        "open.read-only-mode-refuses-what-is-missing",
    ];
}

#[test]
fn a_flush_that_hangs() {
    let options =
        Options::new().only("persistence.flush-with-nothing-to-do").timeout(Duration::from_millis(300));
    let report = run(&target(Flaw::FlushHangs), &options);
    assert_eq!(report.failed, 1);
    assert!(report.to_text().contains("hangs"), "{}", report.to_text());
}

#[test]
fn the_same_store_without_a_flaw_passes() {
    let report = run(&target(Flaw::None), &Options::new());
    assert!(report.is_success(), "{}", report.to_text());
    assert!(report.passed > 200, "{}", report.to_text());
}

#[test]
fn a_failed_random_case_gives_a_test_that_can_be_pasted() {
    let report =
        run(&target(Flaw::DeletesRangesLast), &Options::new().only("batch.random-program-agrees-with-model"));
    let message = report.cases[0].message.as_deref().unwrap();
    assert!(message.contains("seed ") && message.contains("replay(&target, &program)"), "{message}");
    let actions = message.lines().filter(|line| line.trim_start().starts_with("Action::")).count();
    assert!((1..=3).contains(&actions), "the program isn't small: {message}");
}

#[test]
fn a_failed_random_history_gives_a_test_that_can_be_pasted() {
    let report = run(&target(Flaw::EmptyIsAbsent), &Options::new().only("versioned.random-history"));
    let message = report.cases[0].message.as_deref().unwrap();
    assert!(message.contains("seed ") && message.contains("replay_versions(&target, &program)"), "{message}");
}
