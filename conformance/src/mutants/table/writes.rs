//! Stores that write wrongly.

use crate::mutants::Mutant;
use crate::mutants::flaw::Flaw;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "drops-deletes",
        Flaw::DropsDeletes,
        "A delete does nothing.",
        &["point.delete-makes-key-absent", "scan.delete-then-scan-omits-key"],
    ),
    Mutant::new(
        "delete-stores-empty",
        Flaw::DeleteStoresEmpty,
        "A delete stores an empty value.",
        &["point.delete-makes-key-absent", "point.delete-is-idempotent", "conditional.deleted-key-is-absent"],
    ),
    Mutant::new(
        "deletes-extensions",
        Flaw::DeletesExtensions,
        "A delete removes the keys that extend its key too.",
        &["point.delete-leaves-neighbours"],
    ),
    Mutant::new(
        "tombstones-stay",
        Flaw::TombstonesStay,
        "A key that was deleted can't be put again.",
        &["point.put-after-delete-is-visible"],
    ),
    Mutant::new(
        "tombstones-expire",
        Flaw::TombstonesExpire,
        "The tombstones of the layer of versions are cleaned away, and what they hid is there again.",
        &["versioned.own-tombstone-hides-ancestors", "versioned.diamond-with-both-deleted"],
    ),
    Mutant::new(
        "first-put-wins",
        Flaw::FirstPutWins,
        "A second put of a key does nothing.",
        &["point.overwrite-replaces"],
    ),
    Mutant::new(
        "keeps-tails",
        Flaw::KeepsTails,
        "A shorter value leaves the end of the longer one behind it.",
        &["point.overwrite-with-shorter"],
    ),
    Mutant::new(
        "cuts-values",
        Flaw::CutsValues,
        "A value is cut off at 65,535 bytes.",
        &["point.values-of-every-size-round-trip", "scan.large-values-are-complete"],
    ),
    Mutant::new(
        "values-are-text",
        Flaw::ValuesAreText,
        "What isn't UTF-8 in a value is replaced.",
        &["point.values-are-bytes-not-text"],
    ),
    Mutant::new(
        "deletes-first",
        Flaw::DeletesFirst,
        "A batch makes its deletes first.",
        &["batch.put-then-delete-leaves-absent"],
    ),
    Mutant::new(
        "deletes-ranges-last",
        Flaw::DeletesRangesLast,
        "A batch makes its range deletes last.",
        &[
            "batch.delete-range-then-put-keeps-put",
            "batch.delete-range-between-two-puts",
            "batch.random-program-agrees-with-model",
        ],
    ),
    Mutant::new(
        "first-operation-wins",
        Flaw::FirstOperationWins,
        "Of several operations on a key in a batch the first one counts.",
        &["batch.last-operation-on-a-key-wins"],
    ),
    Mutant::new(
        "deletes-one-page",
        Flaw::DeletesOnePage,
        "A range delete ends after a thousand keys.",
        &["batch.delete-range-over-many-keys"],
    ),
    Mutant::new(
        "deletes-included-end",
        Flaw::DeletesIncludedEnd,
        "A range delete removes its excluded end.",
        &["batch.delete-range-removes-exactly-its-range"],
    ),
    Mutant::new(
        "leaves-half",
        Flaw::LeavesHalf,
        "A batch that fails leaves its first operation.",
        &["batch.failed-batch-changes-nothing", "conditional.failed-requirement-changes-nothing"],
    ),
    Mutant::new(
        "shows-half",
        Flaw::ShowsHalf,
        "A reader sees a batch by halves.",
        &["concurrency.readers-never-see-half-a-batch", "concurrency.range-delete-is-seen-whole"],
    ),
    Mutant::new(
        "drops-beside-others",
        Flaw::DropsBesideOthers,
        "A commit that meets another one is dropped, and succeeds.",
        &["concurrency.writers-of-their-own-keys-lose-nothing"],
    ),
    Mutant::new(
        "judges-afterwards",
        Flaw::JudgesAfterwards,
        "Requirements are judged after the batch's own operations.",
        &["conditional.judged-before-operations"],
    ),
    Mutant::new(
        "ignores-requirements",
        Flaw::IgnoresRequirements,
        "Requirements are accepted, and not judged.",
        &[
            "conditional.absent-requirement",
            "conditional.present-requirement",
            "conditional.equals-requirement",
            "concurrency.put-if-absent-has-one-winner",
            "concurrency.compare-and-set-counts-every-increment",
            "versioned.batch-is-all-or-nothing",
            "versioned.batch-to-a-version-committed-meanwhile-is-refused",
        ],
    ),
    Mutant::new(
        "judges-one-requirement",
        Flaw::JudgesOneRequirement,
        "Of several requirements the last one alone is judged.",
        &["conditional.all-requirements-must-hold", "conditional.contradictory-requirements-conflict"],
    ),
    Mutant::new(
        "judges-by-prefix",
        Flaw::JudgesByPrefix,
        "A value that must be stored may be the beginning of the one that is.",
        &["conditional.equals-requirement"],
    ),
    Mutant::new(
        "judges-apart",
        Flaw::JudgesApart,
        "Requirements are judged in another step than the one that writes.",
        &["concurrency.put-if-absent-has-one-winner"],
    ),
    Mutant::new(
        "skips-empty-batches",
        Flaw::SkipsEmptyBatches,
        "A batch of requirements alone isn't judged.",
        &["conditional.requirements-alone-are-judged"],
    ),
    Mutant::new(
        "conflict-is-busy",
        Flaw::ConflictIsBusy,
        "A requirement that fails answers Busy.",
        &["conditional.failed-requirement-is-conflict"],
    ),
    Mutant::new(
        "breaks-on-error",
        Flaw::BreaksOnError,
        "After an error the store can't be written any more.",
        &["errors.store-usable-after-error", "limits.usable-after-too-large"],
    ),
];
