//! `kvdag scan`.

use std::fmt;
use std::ops::ControlFlow;

use engine_api::version::Resolved;
use engine_api::{Fetch, Result};
use keyvalue::KeyValue;
use serde::Serialize;

use super::keys::{Keys, Where, text};
use super::output::Output;
use super::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    #[command(flatten)]
    keys_in: Keys,
    /// At most this many.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Keys alone.
    #[arg(long)]
    keys: bool,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Serialize)]
struct Entry {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// The versions between which nothing has chosen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conflict: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Entries(Vec<Entry>);

impl fmt::Display for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.0 {
            match &entry.value {
                Some(value) => writeln!(f, "{}\t{value}", entry.key)?,
                None if entry.conflict.is_empty() => writeln!(f, "{}", entry.key)?,
                None => writeln!(f, "{}\tconflict between {}", entry.key, entry.conflict.join(", "))?,
            }
        }
        Ok(())
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let version = store::version_id(&store, args.place.at.as_deref())?;
    let dag = store.dag()?;
    let range = args.keys_in.range();
    let limit = args.limit.unwrap_or(usize::MAX);
    let fetch = if args.keys { Fetch::Keys } else { Fetch::Entries };
    let mut entries = Vec::new();
    if limit > 0 {
        let keys = KeyValue::open(&store, &args.place.collection)?.at(version);
        keys.visit(&range, fetch, |key, resolved| {
            let mut entry = Entry { key: text(key).0, value: None, conflict: Vec::new() };
            match resolved {
                Resolved::Found { value, .. } if !args.keys => entry.value = Some(text(&value).0),
                Resolved::Conflict { versions } => {
                    for version in versions {
                        entry.conflict.push(store::short(&dag.version(version)?.uuid));
                    }
                }
                _ => {}
            }
            entries.push(entry);
            Ok(if entries.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
    }
    output.print(&Entries(entries))
}
