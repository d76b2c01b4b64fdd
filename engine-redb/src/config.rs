//! The options of a `redb:` URL, and what they mean to redb.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine_api::{Config, OptionKind, OptionSpec, Result};
use redb::{Builder, RepairSession};

pub(crate) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "cache",
        kind: OptionKind::Bytes { min: 1 << 20, max: 1 << 40 },
        default: "256MiB",
        about: "Memory for pages, nine parts of ten for reads and one for writes.",
    },
    OptionSpec {
        name: "quick-repair",
        kind: OptionKind::Flag,
        default: "false",
        about: "Commit what a reopening after a crash needs: slower commits, no walk over the file.",
    },
    OptionSpec {
        name: "two-phase",
        kind: OptionKind::Flag,
        default: "false",
        about: "Commit with two fsyncs: for stores whose values an attacker chooses.",
    },
    OptionSpec {
        name: "repair",
        kind: OptionKind::Choice(&["auto", "refuse"]),
        default: "auto",
        about: "Whether opening mends a store that wasn't closed, which reads all of it, or refuses it.",
    },
];

/// The options, parsed.
pub(crate) struct Settings {
    pub(crate) cache: usize,
    pub(crate) quick_repair: bool,
    pub(crate) two_phase: bool,
    pub(crate) repair: bool,
}

impl Settings {
    pub(crate) fn of(config: &Config) -> Result<Self> {
        Ok(Self {
            cache: usize::try_from(config.number("cache")?).unwrap_or(usize::MAX),
            quick_repair: config.flag("quick-repair")?,
            two_phase: config.flag("two-phase")?,
            repair: config.text("repair")? == "auto",
        })
    }

    pub(crate) fn builder(&self) -> Builder {
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache);
        if !self.repair {
            builder.set_repair_callback(RepairSession::abort);
        }
        builder
    }

    /// A builder that mends whatever the options say, and a flag that tells whether it had to.
    pub(crate) fn mending_builder(&self) -> (Builder, Arc<AtomicBool>) {
        let mended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&mended);
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache);
        builder.set_repair_callback(move |_| seen.store(true, Ordering::Relaxed));
        (builder, mended)
    }
}
