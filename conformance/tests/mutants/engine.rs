//! One engine for each flaw.

use std::sync::{Arc, LazyLock};

use engine_api::semver::Version;
use engine_api::{
    Capabilities, Conditional, Config, DeleteRange, Descriptor, Durability, DurabilityLevels, Engine, Error,
    ErrorKind, Limits, MEMORY, MemoryStore, OpenMode, Opened, Persistence, Result, Reverse,
};

use crate::store::Mutant;

macro_rules! flaws {
    ($($flaw:ident),+ $(,)?) => {
        /// A way to be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Flaw {
            $($flaw),+
        }

        pub(crate) static ENGINES: &[MutantEngine] = &[$(MutantEngine { flaw: Flaw::$flaw }),+];
    };
}

flaws! {
    None,
    AcceptsAnyDurability,
    BreaksOnError,
    ConflictIsBusy,
    CreatesMissing,
    CutsValues,
    DeleteStoresEmpty,
    DeletesFirst,
    DeletesOnePage,
    DeletesRangesLast,
    DeniesConditional,
    DeniesDeleteRange,
    DeniesReverse,
    DropsDeletes,
    EmptyIsAbsent,
    EndIsIncluded,
    FirstOperationWins,
    FlushHangs,
    ForgetsOnClose,
    GivesValueBefore,
    GoesOnAfterError,
    IgnoresRequirements,
    IgnoresSeeks,
    JudgesAfterwards,
    JudgesApart,
    JudgesOneRequirement,
    KeepsNoLimits,
    LeaksViews,
    LeavesHalf,
    LendsOtherwise,
    LimitIsOffByOne,
    LiveViews,
    NeverCreated,
    OneStoreForAll,
    OrdersByLength,
    PanicsOnInverted,
    PinsAtFirstRead,
    PrefixEndsAtFf,
    ReadsByPrefix,
    RefusesLongReads,
    ResumeSkipsExtensions,
    ReverseStartsLate,
    SeekLeavesBounds,
    SeeksBack,
    SeeksTooFar,
    ShowsHalf,
    SkipsEmptyBatches,
    SkipsFf,
    StaleViews,
    StopsLate,
    SwallowsErrors,
}

/// The longest key and value that a mutant declares: small, so that limits are cheap to pass.
pub(crate) const LONGEST_KEY: usize = 4096;
const LONGEST_VALUE: usize = 8 << 20;

#[derive(Debug)]
pub(crate) struct MutantEngine {
    pub(crate) flaw: Flaw,
}

static DESCRIPTOR: LazyLock<Descriptor> = LazyLock::new(|| {
    Descriptor::new(
        "mutant",
        &["mutant"],
        Version::new(0, 0, 0),
        "A store that is wrong in one way.",
        declared(Flaw::None),
    )
});

pub(crate) fn declared(flaw: Flaw) -> Capabilities {
    let memory = MEMORY.descriptor().capabilities;
    let sound = memory.limits(Limits::NONE.key_bytes(LONGEST_KEY).value_bytes(LONGEST_VALUE));
    match flaw {
        Flaw::DeniesReverse => sound.reverse(Reverse::None),
        Flaw::DeniesDeleteRange => sound.delete_range(DeleteRange::None),
        Flaw::DeniesConditional => sound.conditional(Conditional::None),
        Flaw::LimitIsOffByOne => sound.limits(sound.limits.key_bytes(LONGEST_KEY + 1)),
        Flaw::ForgetsOnClose => sound
            .persistence(Persistence::Disk)
            .durability(DurabilityLevels::new(&[Durability::Relaxed, Durability::Power])),
        _ => sound,
    }
}

static SHARED: LazyLock<Arc<MemoryStore>> = LazyLock::new(Arc::default);

impl Engine for MutantEngine {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn open(&self, config: &Config) -> Result<Opened> {
        let must_exist = matches!(config.mode(), OpenMode::Existing | OpenMode::ReadOnly);
        if must_exist && !matches!(self.flaw, Flaw::CreatesMissing | Flaw::ForgetsOnClose) {
            return Err(Error::new(ErrorKind::NotFound, "there is no store"));
        }
        let inner = if self.flaw == Flaw::OneStoreForAll { Arc::clone(&SHARED) } else { Arc::default() };
        Ok(Opened {
            store: Box::new(Mutant::new(inner, self.flaw)),
            created: self.flaw != Flaw::NeverCreated,
        })
    }

    fn destroy(&self, _: &Config) -> Result<()> {
        Ok(())
    }
}
