//! The options of an `lmdb:` URL.

use engine_api::{Config, OptionKind, OptionSpec, Result};

/// Half of the addresses that a process has on common machines.
const MOST: u64 = 64 << 40;

pub(crate) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "map",
        kind: OptionKind::Bytes { min: 1 << 20, max: MOST },
        default: "1TiB",
        about: "Address space to map the file into; it takes no memory and no disk, and grows by itself.",
    },
    OptionSpec {
        name: "readers",
        kind: OptionKind::Integer { min: 1, max: 65_536 },
        default: "1024",
        about: "The most views open at once, in all processes; the first of them to open the store decides.",
    },
    OptionSpec {
        name: "sync",
        kind: OptionKind::Choice(&["full", "none"]),
        default: "full",
        about: "Whether a commit waits for the disk. With none, a power cut may damage the whole store.",
    },
];

/// The options, parsed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) map: usize,
    pub(crate) readers: u32,
    pub(crate) sync: bool,
}

impl Settings {
    pub(crate) fn of(config: &Config) -> Result<Self> {
        Ok(Self {
            map: mappable(config.number("map")?),
            readers: u32::try_from(config.number("readers")?).unwrap_or(u32::MAX),
            sync: config.text("sync")? == "full",
        })
    }
}

/// As much of a wanted size as can be mapped, in whole pages.
pub(crate) fn mappable(bytes: u64) -> usize {
    /// A multiple of every system's page size.
    const PAGES: u64 = 1 << 16;
    /// What a machine of 32 bits can spare: it can't map what the default asks for.
    const SMALL: u64 = 1 << 29;
    let most = if size_of::<usize>() < 8 { SMALL } else { MOST };
    usize::try_from(bytes.min(most).next_multiple_of(PAGES)).unwrap_or(usize::MAX)
}
