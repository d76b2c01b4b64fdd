//! Stores that keep, find or lose their files wrongly.

use crate::mutants::Mutant;
use crate::mutants::flaw::Flaw;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new(
        "forgets-on-close",
        Flaw::ForgetsOnClose,
        "A store that is opened again is empty.",
        &[
            "persistence.reopen-keeps-committed",
            "persistence.flush-keeps-relaxed-commits",
            "persistence.random-program-with-reopens-agrees-with-model",
        ],
    ),
    Mutant::new(
        "forgets-what-is-pending",
        Flaw::ForgetsWhatIsPending,
        "A flush does nothing, and closing drops what was to be written.",
        &["persistence.flush-keeps-relaxed-commits"],
    ),
    Mutant::new(
        "flush-does-nothing",
        Flaw::FlushDoesNothing,
        "A flush returns, and what it should have written is still in the process.",
        &["persistence.flushed-commits-survive-a-kill"],
    ),
    Mutant::new(
        "holds-back-durable-commits",
        Flaw::HoldsBackDurableCommits,
        "A durable commit returns while it is still in the process.",
        &["persistence.process-durable-commits-survive-a-kill"],
    ),
    Mutant::new(
        "logs-each-operation",
        Flaw::LogsEachOperation,
        "The operations of a batch are written one by one, the last of them with the next batch.",
        &["persistence.relaxed-commits-are-whole-after-a-kill"],
    ),
    Mutant::new(
        "replays-out-of-order",
        Flaw::ReplaysOutOfOrder,
        "Of two commits the later one is replayed first.",
        &["persistence.reopen-keeps-deletes"],
    ),
    Mutant::new(
        "replays-deletes-first",
        Flaw::ReplaysDeletesFirst,
        "A log that is replayed brings back what was deleted.",
        &["persistence.reopen-keeps-deletes"],
    ),
    Mutant::new(
        "logs-what-is-refused",
        Flaw::LogsWhatIsRefused,
        "A batch whose requirement fails is in the log all the same.",
        &["persistence.failed-commit-is-not-there-after-reopen"],
    ),
    Mutant::new(
        "compaction-drops",
        Flaw::CompactionDrops,
        "A compaction loses the first key.",
        &["persistence.compact-keeps-everything"],
    ),
    Mutant::new(
        "verify-cries-wolf",
        Flaw::VerifyCriesWolf,
        "A check finds damage in a sound store.",
        &["persistence.verify-of-a-sound-store-passes"],
    ),
    Mutant::new(
        "repair-drops",
        Flaw::RepairDrops,
        "A repair of a sound store loses what was written first.",
        &["persistence.repair-of-a-sound-store-keeps-everything"],
    ),
    Mutant::hanging(
        "flush-hangs",
        Flaw::FlushHangs,
        "A flush never returns.",
        &["persistence.flush-with-nothing-to-do"],
    ),
    Mutant::new(
        "never-created",
        Flaw::NeverCreated,
        "A store that is new is said to have been there.",
        &["open.created-is-reported"],
    ),
    Mutant::new(
        "one-store-for-all",
        Flaw::OneStoreForAll,
        "Two stores at different places are one.",
        &["open.fresh-store-is-empty", "open.stores-are-independent"],
    ),
    Mutant::new(
        "creates-missing",
        Flaw::CreatesMissing,
        "A store that must be there is created.",
        &["open.existing-mode-refuses-what-is-missing", "open.read-only-mode-refuses-what-is-missing"],
    ),
    Mutant::new(
        "new-opens-what-is-there",
        Flaw::NewOpensWhatIsThere,
        "The mode for new stores opens one that is there.",
        &["open.new-mode-refuses-what-is-there"],
    ),
    Mutant::new(
        "accepts-writes-when-read-only",
        Flaw::AcceptsWritesWhenReadOnly,
        "A store that was opened for reading can be written.",
        &["open.read-only-mode-refuses-writes"],
    ),
    Mutant::new(
        "admits-second-opener",
        Flaw::AdmitsSecondOpener,
        "A store that is declared for one process is opened twice.",
        &["open.second-opener-is-locked", "open.other-process-is-locked"],
    ),
    Mutant::new(
        "locks-for-ever",
        Flaw::LocksForEver,
        "A store that is closed stays locked.",
        &["open.close-releases-the-store"],
    ),
    Mutant::new(
        "overwrites-foreign-files",
        Flaw::OverwritesForeignFiles,
        "A file of something else is taken for a store, and overwritten.",
        &["open.foreign-file-is-refused-and-kept"],
    ),
    Mutant::new(
        "destroy-is-nothing",
        Flaw::DestroyIsNothing,
        "Destroying a store leaves it.",
        &["open.destroy-removes-the-store"],
    ),
    Mutant::new(
        "destroys-neighbours",
        Flaw::DestroysNeighbours,
        "Destroying a store removes the files beside it.",
        &["open.destroy-leaves-what-is-beside-it"],
    ),
];
