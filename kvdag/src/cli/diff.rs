//! `kvdag diff`.

use std::fmt;
use std::ops::ControlFlow;

use chunks::{ChunkStore, Region};
use engine_api::version::{Instance, Resolved};
use engine_api::{KeyRange, Result, key::TKey};
use serde::Serialize;
use volume::Volume;

use super::keys::{Keys, text};
use super::output::Output;
use super::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The version to compare from.
    before: String,
    /// The version to compare to.
    after: String,
    /// Only this collection or volume.
    #[arg(long = "in", value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    keys: Keys,
    /// Only volumes, and of those the chunks that have a part in this region, slowest axis first.
    #[arg(long, value_name = "Z0:Z1,Y0:Y1,X0:X1", conflicts_with_all = ["prefix", "from", "to"])]
    region: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    Added,
    Removed,
    Changed,
    Conflict,
}

impl Change {
    fn of(before: &Resolved, after: &Resolved) -> Self {
        match (before, after) {
            (Resolved::Conflict { .. }, _) | (_, Resolved::Conflict { .. }) => Self::Conflict,
            (Resolved::Found { .. }, Resolved::Found { .. }) => Self::Changed,
            (Resolved::Found { .. }, _) => Self::Removed,
            _ => Self::Added,
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Removed => 'D',
            Self::Changed => 'M',
            Self::Conflict => 'C',
        }
    }
}

#[derive(Debug, Serialize)]
struct Line {
    name: String,
    key: String,
    change: Change,
}

#[derive(Debug, Serialize)]
struct Differences {
    before: String,
    after: String,
    differences: Vec<Line>,
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.differences {
            writeln!(f, "{} {} {}", line.change.letter(), line.name, line.key)?;
        }
        let short = |version: &str| version[..12.min(version.len())].to_owned();
        let count = self.differences.len();
        writeln!(f, "{count} keys differ between {} and {}", short(&self.before), short(&self.after))
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let (before, after) = (store.find(&args.before)?, store.find(&args.after)?);
    let mut differences = Vec::new();
    let region = args.region.as_deref().map(str::parse::<Region>).transpose()?;
    for instance in store::instances(&store, before.repo, args.name.as_deref())? {
        let is_volume = instance.datatype == volume::DATATYPE;
        let grid = match &region {
            Some(region) if is_volume => {
                let grid = *Volume::open_unfinished(&store, &instance.name)?.at(after.id).grid();
                grid.check_region(region)?;
                Some((grid, region))
            }
            Some(_) => continue,
            None => None,
        };
        let range = match args.keys.are_all() {
            true => KeyRange::ALL,
            false if instance.datatype == keyvalue::DATATYPE => keyvalue::within_class(&args.keys.range()),
            false => continue,
        };
        store.diff(instance.id, (before.id, after.id), &range, &mut |found| {
            if is_volume {
                // What coarser scales differ in follows from full resolution.
                let Some(chunk) = volume::full_chunk_of_key(&found.tkey)? else {
                    return Ok(ControlFlow::Continue(()));
                };
                if let Some((grid, region)) = &grid
                    && grid.chunk_region(&chunk)?.intersection(region).is_none()
                {
                    return Ok(ControlFlow::Continue(()));
                }
            }
            let Some(key) = key_text(&instance, &found.tkey)? else { return Ok(ControlFlow::Continue(())) };
            differences.push(Line {
                name: instance.name.clone(),
                key,
                change: Change::of(&found.before, &found.after),
            });
            Ok(ControlFlow::Continue(()))
        })?;
    }
    output.print(&Differences {
        before: before.uuid.simple().to_string(),
        after: after.uuid.simple().to_string(),
        differences,
    })
}

/// A key as its datatype shows it: a chunk's coordinates, a part of a graph, or the bytes behind the class. `None` for a key that
/// says what another says already.
pub(crate) fn key_text(instance: &Instance, tkey: &TKey) -> Result<Option<String>> {
    if instance.datatype == volume::DATATYPE {
        return volume::describe_key(tkey).map(Some);
    }
    #[cfg(feature = "graph")]
    if instance.datatype == graph::DATATYPE {
        return super::graph::describe_key(tkey);
    }
    Ok(Some(text(tkey.class_bytes()?).0))
}
