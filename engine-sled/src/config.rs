//! The options of a `sled:` URL, and what they mean to sled.

use engine_api::{Config, OpenMode, OptionKind, OptionSpec, Result};

pub(crate) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "cache",
        kind: OptionKind::Bytes { min: 1 << 20, max: 1 << 40 },
        default: "256MiB",
        about: "Memory for pages; sled keeps to it roughly.",
    },
    OptionSpec {
        name: "flush-every",
        kind: OptionKind::Integer { min: 0, max: 3_600_000 },
        default: "500",
        about: "Milliseconds between flushes and clean-ups in the background; 0 for none.",
    },
];

/// The options, parsed.
pub(crate) struct Settings {
    pub(crate) cache: u64,
    pub(crate) flush_every: Option<u64>,
}

impl Settings {
    pub(crate) fn of(config: &Config) -> Result<Self> {
        let flush_every = Some(config.number("flush-every")?);
        // For a reader there will be nothing to flush, and nothing should be rearranged.
        let flush_every = flush_every.filter(|every| *every > 0 && config.mode() != OpenMode::ReadOnly);
        Ok(Self { cache: config.number("cache")?, flush_every })
    }

    pub(crate) fn sled(&self) -> sled::Config {
        sled::Config::new().cache_capacity(self.cache).flush_every_ms(self.flush_every)
    }
}
