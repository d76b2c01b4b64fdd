//! The ways to be wrong, and what a store that is wrong in one of them declares.

use engine_api::{
    Atomicity, Capabilities, Conditional, DeleteRange, Durability, DurabilityLevels, Limits, Persistence,
    Reads, Reverse, Writers,
};

use super::graph::GraphFlaw;

/// A way to be wrong. What each does is where it is matched on: in the engine, the log, a batch, the store or a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    AcceptsAnyDurability,
    AcceptsWritesWhenReadOnly,
    AdmitsSecondOpener,
    BreaksOnError,
    ChangesCapabilities,
    ClaimsBatchBytes,
    ClaimsBatchOps,
    ClaimsConditional,
    ClaimsDeleteRange,
    ClaimsDurability,
    ClaimsDurabilityInMemory,
    ClaimsEmptyKey,
    ClaimsLongerValues,
    ClaimsMoreViews,
    ClaimsReverse,
    CompactionDrops,
    ConflictIsBusy,
    CreatesMissing,
    CutsTrailingZeros,
    CutsValues,
    DeleteStoresEmpty,
    DeletesExtensions,
    DeletesFirst,
    DeletesIncludedEnd,
    DeletesOnePage,
    DeletesRangesLast,
    DeniesConditional,
    DeniesDeleteRange,
    DeniesEmptyKey,
    DeniesPersistence,
    DeniesReverse,
    DescribedOtherwise,
    DestroyIsNothing,
    DestroysNeighbours,
    DropsBesideOthers,
    DropsDeletes,
    EmptyIsAbsent,
    EndIsIncluded,
    FirstOperationWins,
    FirstPutWins,
    FlushDoesNothing,
    FlushHangs,
    FoldsCase,
    ForgetsOnClose,
    ForgetsWhatIsPending,
    GivesValueBefore,
    GoesOnAfterError,
    Graph(GraphFlaw),
    HoldsBackDurableCommits,
    IgnoresRequirements,
    IgnoresSeeks,
    JudgesAfterwards,
    JudgesApart,
    JudgesByPrefix,
    JudgesOneRequirement,
    KeepsNoLimits,
    KeepsTails,
    LeaksViews,
    LeavesHalf,
    LendsOtherwise,
    LimitIsOffByOne,
    LiveViews,
    LocksForEver,
    LogsEachOperation,
    LogsWhatIsRefused,
    NeverCreated,
    NewOpensWhatIsThere,
    OneStoreForAll,
    OrdersByLength,
    OrdersEqualPrefixes,
    OverwritesForeignFiles,
    PanicsOnInverted,
    PinsAtFirstRead,
    PrefixEndsAtFf,
    ReadsByPrefix,
    RefusesLongReads,
    RepairDrops,
    ReplaysDeletesFirst,
    ReplaysOutOfOrder,
    ResumeSkipsExtensions,
    ReverseEndIsIncluded,
    ReverseStartsLate,
    ScansOnePage,
    SeekLeavesBounds,
    SeeksBack,
    SeeksTooFar,
    ShowsHalf,
    SkipsEmptyBatches,
    SkipsEmptyValues,
    SkipsFf,
    SkipsFirst,
    SkipsZero,
    StaleViews,
    StartIsExcluded,
    StopsLate,
    SwallowsErrors,
    TombstonesExpire,
    TombstonesStay,
    ValuesAreText,
    VerifyCriesWolf,
    ViewsEndWithTheStore,
    VisitsTwice,
}

/// The longest key and value that a mutant declares: small, so that limits are cheap to pass.
pub(super) const LONGEST_KEY: usize = 4096;
const LONGEST_VALUE: usize = 8 << 20;
/// The limits that only the mutants of these limits declare.
const MOST_OPS: usize = 1000;
const MOST_BYTES: usize = 12 << 20;
const MOST_VIEWS: usize = 24;

/// What the store without a flaw declares.
const SOUND: Capabilities = Capabilities::MINIMAL
    .reads(Reads::Snapshot)
    .atomicity(Atomicity::Store)
    .conditional(Conditional::Batch)
    .reverse(Reverse::Native)
    .delete_range(DeleteRange::PerKey)
    .persistence(Persistence::Disk)
    .durability(DurabilityLevels::new(&[Durability::Relaxed, Durability::Process]))
    .writers(Writers::Single)
    .limits(Limits::NONE.key_bytes(LONGEST_KEY).value_bytes(LONGEST_VALUE));

impl Flaw {
    /// What the store declares.
    pub(super) const fn declares(self) -> Capabilities {
        let sound = SOUND;
        match self {
            Self::ClaimsBatchBytes => sound.limits(sound.limits.batch_bytes(MOST_BYTES)),
            Self::ClaimsBatchOps => sound.limits(sound.limits.batch_ops(MOST_OPS)),
            Self::ClaimsDurability => sound.durability(DurabilityLevels::new(&[
                Durability::Relaxed,
                Durability::Process,
                Durability::Power,
            ])),
            Self::ClaimsDurabilityInMemory => sound.persistence(Persistence::Memory),
            Self::ClaimsLongerValues => sound.limits(sound.limits.value_bytes(2 * LONGEST_VALUE)),
            Self::ClaimsMoreViews => sound.limits(sound.limits.views(MOST_VIEWS)),
            Self::DeniesConditional => sound.conditional(Conditional::None),
            Self::DeniesDeleteRange => sound.delete_range(DeleteRange::None),
            Self::DeniesEmptyKey => sound.limits(sound.limits.no_empty_key()),
            Self::DeniesPersistence | Self::Graph(_) => sound
                .persistence(Persistence::Memory)
                .durability(DurabilityLevels::new(&[Durability::Relaxed])),
            Self::DeniesReverse => sound.reverse(Reverse::None),
            Self::LimitIsOffByOne => sound.limits(sound.limits.key_bytes(LONGEST_KEY + 1)),
            _ => sound,
        }
    }

    /// What the store goes by when it checks a batch.
    pub(super) const fn keeps(self) -> Capabilities {
        let declared = self.declares();
        match self {
            Self::ClaimsBatchBytes => declared.limits(declared.limits.batch_bytes(MOST_BYTES - 1)),
            Self::ClaimsBatchOps => declared.limits(declared.limits.batch_ops(MOST_OPS + 1)),
            Self::ClaimsConditional => declared.conditional(Conditional::None),
            Self::ClaimsDeleteRange => declared.delete_range(DeleteRange::None),
            Self::ClaimsEmptyKey => declared.limits(declared.limits.no_empty_key()),
            Self::KeepsNoLimits => declared.limits(Limits::NONE),
            Self::ClaimsDurability
            | Self::ClaimsLongerValues
            | Self::DeniesConditional
            | Self::DeniesDeleteRange
            | Self::DeniesEmptyKey
            | Self::LimitIsOffByOne => SOUND,
            _ => declared,
        }
    }
}
