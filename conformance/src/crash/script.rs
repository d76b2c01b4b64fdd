//! What a child process does until it ends.

use std::io::{self, Read as _};

use engine_api::{Config, Durability, Engine, Error, ErrorKind, OpenMode, Result, Scan, Store};

use super::batches::batch;
use crate::checks::entries;
use crate::child::say;
use crate::rng::Rng;

/// Opens a store, waits for a line, and commits numbered batches until there are enough, or too many were
/// refused. What [`Told`](super::Told) reads is what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) create: bool,
    pub(crate) pace: Pace,
    /// The number of the first batch.
    pub(crate) from: usize,
    pub(crate) count: usize,
    pub(crate) seed: u64,
}

/// How durable each batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Always(Durability),
    /// At random, any that the store tells apart.
    Any,
    /// Relaxed, and flushed before it is told.
    ThenFlush,
    /// No batches: everything is read.
    Read,
}

impl Pace {
    const ALL: [Self; 6] = [
        Self::Always(Durability::Relaxed),
        Self::Always(Durability::Process),
        Self::Always(Durability::Power),
        Self::Any,
        Self::ThenFlush,
        Self::Read,
    ];
}

/// So many refused in a row, and the child gives up.
const PATIENCE: usize = 4;

impl Script {
    /// What the script is in an environment variable.
    pub(crate) fn to_text(&self) -> String {
        let pace = Pace::ALL.iter().position(|pace| *pace == self.pace).unwrap_or_default();
        format!("{} {pace} {} {} {}", usize::from(self.create), self.from, self.count, self.seed)
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let numbers: Vec<u64> = text.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [create, pace, from, count, seed] = numbers[..] else { return None };
        let number = |number| usize::try_from(number).ok();
        let pace = *Pace::ALL.get(number(pace)?)?;
        Some(Self { create: create == 1, pace, from: number(from)?, count: number(count)?, seed })
    }

    /// What the child does.
    pub(crate) fn perform(&self, engine: &dyn Engine, config: Config) -> Result<()> {
        let mode = if self.create { OpenMode::Create } else { OpenMode::Existing };
        let store = match engine.open(&config.with_mode(mode)) {
            Ok(opened) => opened.store,
            Err(error) => return say(&format!("unopened {}", error.kind())),
        };
        say("opened")?;
        io::stdin()
            .read_exact(&mut [0])
            .map_err(|error| Error::from_io(error, "nobody says when to begin"))?;
        if self.pace == Pace::Read {
            match count_entries(store.as_ref()) {
                Ok(entries) => say(&format!("read {entries}"))?,
                Err(error) => say(&format!("unread {}", error.kind()))?,
            }
        } else {
            self.commit_all(store.as_ref())?;
        }
        drop(store);
        say("closed")
    }

    fn commit_all(&self, store: &dyn Store) -> Result<()> {
        let mut rng = Rng::new(self.seed);
        let capabilities = store.capabilities();
        let mut refused = 0;
        for number in self.from..self.from + self.count {
            let durability = match self.pace {
                Pace::Always(durability) => durability,
                Pace::Any => *rng.pick(capabilities.durability.levels()),
                Pace::ThenFlush | Pace::Read => Durability::Relaxed,
            };
            let mut committed = store.commit(&batch(number, &capabilities.limits), durability);
            let mut reached = durability;
            if self.pace == Pace::ThenFlush && committed.is_ok() {
                // A flush that fails says nothing of the commit: it may be there or not.
                committed = store
                    .flush()
                    .map_err(|error| Error::new(ErrorKind::Ambiguous, "the flush failed").caused_by(error));
                reached = capabilities.durability.strongest();
            }
            match committed {
                Ok(()) => {
                    refused = 0;
                    say(&format!("{number} {reached}"))?;
                }
                Err(error) => {
                    refused += 1;
                    say(&format!("{number} refused {}", error.kind()))?;
                    let ended = matches!(error.kind(), ErrorKind::Poisoned | ErrorKind::Closed);
                    if ended || refused == PATIENCE {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

fn count_entries(store: &dyn Store) -> Result<usize> {
    Ok(entries(store.view()?.as_ref(), Scan::all())?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_what_was_written_down() {
        for pace in Pace::ALL {
            let script = Script { create: true, pace, from: 17, count: 400, seed: 4711 };
            assert_eq!(Script::from_text(&script.to_text()), Some(script));
        }
        assert_eq!(Script::from_text("1 2 3"), None);
    }
}
