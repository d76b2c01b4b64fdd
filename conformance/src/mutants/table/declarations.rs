//! Stores that declare or deny what isn't so, or keep limits wrongly.

use crate::mutants::Mutant;
use crate::mutants::flaw::Flaw;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "claims-reverse",
        Flaw::ClaimsReverse,
        "Descending scans are declared, and Unsupported.",
        &["scan.reverse-visits-in-descending-order"],
    ),
    Mutant::new(
        "denies-reverse",
        Flaw::DeniesReverse,
        "Descending scans are denied, and work.",
        &["scan.reverse-denied-answers-unsupported"],
    ),
    Mutant::new(
        "claims-delete-range",
        Flaw::ClaimsDeleteRange,
        "Range deletes are declared, and Unsupported.",
        &["batch.delete-range-removes-exactly-its-range"],
    ),
    Mutant::new(
        "denies-delete-range",
        Flaw::DeniesDeleteRange,
        "Range deletes are denied, and work.",
        &["batch.delete-range-denied-answers-unsupported"],
    ),
    Mutant::new(
        "claims-conditional",
        Flaw::ClaimsConditional,
        "Batches with requirements are declared, and Unsupported.",
        &["conditional.absent-requirement"],
    ),
    Mutant::new(
        "denies-conditional",
        Flaw::DeniesConditional,
        "Batches with requirements are denied, and work.",
        &["conditional.denied-answers-unsupported"],
    ),
    Mutant::new(
        "claims-durability",
        Flaw::ClaimsDurability,
        "Durability of power is declared, and Unsupported.",
        &["persistence.every-weaker-durability-is-served"],
    ),
    Mutant::new(
        "accepts-any-durability",
        Flaw::AcceptsAnyDurability,
        "A durability beyond the strongest declared is accepted.",
        &["persistence.undeclared-durability-answers-unsupported"],
    ),
    Mutant::new(
        "claims-durability-in-memory",
        Flaw::ClaimsDurabilityInMemory,
        "A store that says it lives in memory declares more than relaxed commits.",
        &["persistence.durability-fits-the-medium"],
    ),
    Mutant::new(
        "denies-persistence",
        Flaw::DeniesPersistence,
        "A store that says it lives in memory is there again when it is opened anew.",
        &["persistence.memory-is-gone-with-the-store"],
    ),
    Mutant::new(
        "described-otherwise",
        Flaw::DescribedOtherwise,
        "The descriptor says live reads where the store says snapshots.",
        &["open.capabilities-are-those-of-the-descriptor"],
    ),
    Mutant::new(
        "changes-capabilities",
        Flaw::ChangesCapabilities,
        "A store that is opened again declares another limit.",
        &["open.capabilities-do-not-change"],
    ),
    Mutant::new(
        "claims-longer-keys",
        Flaw::LimitIsOffByOne,
        "The longest key is one byte shorter than declared.",
        &["limits.key-at-limit-round-trips"],
    ),
    Mutant::new(
        "claims-longer-values",
        Flaw::ClaimsLongerValues,
        "The longest value is half as long as declared.",
        &["limits.value-at-limit-round-trips"],
    ),
    Mutant::new(
        "claims-empty-key",
        Flaw::ClaimsEmptyKey,
        "The empty key is declared, and refused.",
        &["limits.empty-key-round-trips"],
    ),
    Mutant::new(
        "denies-empty-key",
        Flaw::DeniesEmptyKey,
        "The empty key is denied, and stored.",
        &["limits.empty-key-denied-is-invalid-argument"],
    ),
    Mutant::new(
        "keeps-no-limits",
        Flaw::KeepsNoLimits,
        "What is beyond a limit is accepted.",
        &[
            "limits.key-over-limit-is-too-large",
            "limits.value-over-limit-is-too-large",
            "limits.batch-with-one-operation-over-limit-changes-nothing",
        ],
    ),
    Mutant::new(
        "takes-an-operation-more",
        Flaw::ClaimsBatchOps,
        "A batch may have one operation more than declared.",
        &["limits.batch-operations-over-limit-are-too-large"],
    ),
    Mutant::new(
        "takes-a-byte-less",
        Flaw::ClaimsBatchBytes,
        "A batch may have one byte less than declared.",
        &["limits.batch-bytes-over-limit-are-too-large"],
    ),
    Mutant::new(
        "gives-a-view-less",
        Flaw::ClaimsMoreViews,
        "One view less than declared can be open at once.",
        &["limits.views-at-limit-all-read"],
    ),
    Mutant::new(
        "refuses-long-reads",
        Flaw::RefusesLongReads,
        "Reading a key over the limit is an error.",
        &["limits.key-over-limit-reads-as-absent"],
    ),
];
