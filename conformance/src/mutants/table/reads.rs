//! Stores that read wrongly.

use crate::mutants::Mutant;
use crate::mutants::flaw::Flaw;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "empty-is-absent",
        Flaw::EmptyIsAbsent,
        "An empty value reads as absent.",
        &[
            "point.empty-value-is-not-absent",
            "conditional.equals-empty-is-not-absent",
            "versioned.own-tombstone-hides-ancestors",
        ],
    ),
    Mutant::new(
        "reads-by-prefix",
        Flaw::ReadsByPrefix,
        "A read by key answers the first key that begins with it.",
        &["point.prefix-of-a-key-is-another-key"],
    ),
    Mutant::new(
        "lends-otherwise",
        Flaw::LendsOtherwise,
        "A value that is lent is there where the key is absent.",
        &["point.get-with-agrees-with-get", "point.exists-agrees-with-get"],
    ),
    Mutant::new(
        "folds-case",
        Flaw::FoldsCase,
        "Keys that differ in case are one.",
        &["point.keys-are-bytes-not-text"],
    ),
    Mutant::new(
        "cuts-trailing-zeros",
        Flaw::CutsTrailingZeros,
        "A key loses the NULs at its end.",
        &["point.trailing-zeros-tell-keys-apart"],
    ),
    Mutant::new(
        "end-is-included",
        Flaw::EndIsIncluded,
        "A scan visits its excluded end.",
        &["scan.excluded-end-is-not-visited", "scan.every-kind-of-bounds-agrees-with-model"],
    ),
    Mutant::new(
        "start-is-excluded",
        Flaw::StartIsExcluded,
        "A scan leaves out its included start.",
        &["scan.included-start-is-visited"],
    ),
    Mutant::new(
        "skips-first",
        Flaw::SkipsFirst,
        "A scan leaves out the first key of its range.",
        &["scan.order-is-bytewise", "scan.first-and-last-of-a-range"],
    ),
    Mutant::new(
        "skips-0xff",
        Flaw::SkipsFf,
        "Scans leave out keys of 0xFF bytes.",
        &[
            "scan.full-scan-includes-0xff-keys",
            "scan.range-end-unbounded-reaches-last-key",
            "scan.reverse-includes-0xff-keys",
        ],
    ),
    Mutant::new(
        "skips-zero",
        Flaw::SkipsZero,
        "Scans leave out keys of NULs.",
        &["scan.full-scan-includes-0x00-keys"],
    ),
    Mutant::new(
        "skips-empty-values",
        Flaw::SkipsEmptyValues,
        "Scans leave out keys with empty values.",
        &["scan.empty-values-are-visited"],
    ),
    Mutant::new(
        "scans-one-page",
        Flaw::ScansOnePage,
        "A scan ends after ten thousand keys.",
        &["scan.large-range-is-complete", "scan.reverse-large-range-is-complete"],
    ),
    Mutant::new(
        "visits-twice",
        Flaw::VisitsTwice,
        "A scan visits its last key twice.",
        &["scan.each-key-is-visited-once"],
    ),
    Mutant::new(
        "prefix-ends-at-0xff",
        Flaw::PrefixEndsAtFf,
        "The keys of a prefix end where 0xFF follows it.",
        &["scan.prefix-includes-0xff-suffix"],
    ),
    Mutant::new(
        "resume-skips-extensions",
        Flaw::ResumeSkipsExtensions,
        "What comes after a key begins behind the keys that extend it.",
        &["scan.excluded-start-is-not-visited", "cursor.paging-resumes-at-key-extension"],
    ),
    Mutant::new(
        "orders-by-length",
        Flaw::OrdersByLength,
        "Short keys come before long ones.",
        &["scan.order-is-bytewise", "scan.key-that-extends-another-follows-it"],
    ),
    Mutant::new(
        "orders-equal-prefixes",
        Flaw::OrdersEqualPrefixes,
        "Keys whose first four bytes are the same come in the wrong order.",
        &["scan.large-range-is-complete"],
    ),
    Mutant::new(
        "panics-on-inverted",
        Flaw::PanicsOnInverted,
        "Bounds in the wrong order make a scan panic.",
        &["scan.inverted-bounds-are-empty"],
    ),
    Mutant::new(
        "gives-value-before",
        Flaw::GivesValueBefore,
        "A scan gives each key the value of the one before it.",
        &["scan.values-are-those-of-their-keys"],
    ),
    Mutant::new(
        "reverse-starts-late",
        Flaw::ReverseStartsLate,
        "A descending scan leaves out its first key.",
        &[
            "scan.reverse-visits-in-descending-order",
            "cursor.reverse-visits-every-entry-in-order",
            "scan.first-and-last-of-a-range",
        ],
    ),
    Mutant::new(
        "reverse-end-is-included",
        Flaw::ReverseEndIsIncluded,
        "A descending scan begins at its excluded upper bound.",
        &["scan.reverse-honours-its-bounds", "scan.reverse-of-a-prefix-starts-at-its-last-key"],
    ),
    Mutant::new(
        "ignores-seeks",
        Flaw::IgnoresSeeks,
        "A seek goes to the next key.",
        &[
            "scan.seek-to-an-exact-key-visits-it",
            "scan.seeks-agree-with-model",
            "versioned.entries-of-others-are-sought-past",
        ],
    ),
    Mutant::new(
        "seeks-back",
        Flaw::SeeksBack,
        "A seek that leads back goes back.",
        &["scan.seek-behind-counts-as-next"],
    ),
    Mutant::new(
        "seek-leaves-bounds",
        Flaw::SeekLeavesBounds,
        "A seek past the end visits what is there.",
        &["scan.seek-past-the-end-stops", "scan.seek-never-leaves-the-bounds"],
    ),
    Mutant::new(
        "seeks-too-far",
        Flaw::SeeksTooFar,
        "A seek lands one key too far.",
        &["scan.seek-to-an-exact-key-visits-it", "scan.seek-to-the-successor-is-next"],
    ),
    Mutant::new(
        "stops-late",
        Flaw::StopsLate,
        "A scan that is told to stop visits one key more.",
        &["scan.stop-ends-at-once"],
    ),
    Mutant::new(
        "swallows-errors",
        Flaw::SwallowsErrors,
        "A scan takes an error for its end.",
        &[
            "scan.visitor-error-is-returned",
            "errors.scan-reports-engine-error",
            "errors.cursor-reports-engine-error",
            "errors.range-helpers-report-engine-error",
            "versioned.delete-range-reports-scan-errors",
        ],
    ),
    Mutant::new(
        "goes-on-after-error",
        Flaw::GoesOnAfterError,
        "A scan goes on after an error.",
        &["errors.scan-is-fused-after-error", "scan.visitor-error-is-returned"],
    ),
    Mutant::new(
        "live-views",
        Flaw::LiveViews,
        "A view that is declared a snapshot follows the store.",
        &[
            "view.pinned-at-creation",
            "view.pinned-against-every-kind-of-write",
            "view.several-views-each-see-their-own-state",
            "view.cursor-is-pinned-between-pages",
            "versioned.reader-sees-one-state",
            "concurrency.view-is-stable-while-writers-run",
        ],
    ),
    Mutant::new(
        "pins-at-first-read",
        Flaw::PinsAtFirstRead,
        "A view is pinned at its first read.",
        &["view.pinned-at-creation"],
    ),
    Mutant::new(
        "stale-views",
        Flaw::StaleViews,
        "A view lacks the latest commit.",
        &["view.new-view-sees-commit", "concurrency.commit-is-visible-to-other-threads"],
    ),
    Mutant::new(
        "leaks-views",
        Flaw::LeaksViews,
        "A view that is dropped is never given back.",
        &["view.dropped-views-free-their-slots", "errors.repeated-errors-leak-nothing"],
    ),
    Mutant::new(
        "views-end-with-the-store",
        Flaw::ViewsEndWithTheStore,
        "A view fails once the store is dropped.",
        &["view.outlives-the-store-handle"],
    ),
];
