//! `kvdag volume labels`.

use std::fmt;
use std::ops::ControlFlow;

use engine_api::Result;
use serde::Serialize;
use volume::Volume;

use crate::cli::output::{self, Output};
use crate::cli::store;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store.
    store: String,
    /// The volume, which must be one of labels.
    volume: String,
    /// The version; the newest on the main branch unless given.
    #[arg(long, value_name = "VERSION")]
    at: Option<String>,
    /// List the chunks that hold this label.
    #[arg(long)]
    label: Option<u64>,
    /// The most lines to print.
    #[arg(long)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Labels {
    labels: Vec<Label>,
}

#[derive(Debug, Serialize)]
struct Label {
    label: u64,
    voxels: u64,
    chunks: u64,
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<Vec<String>> = self
            .labels
            .iter()
            .map(|label| {
                vec![
                    label.label.to_string(),
                    format!("{} voxels", label.voxels),
                    format!("{} chunks", label.chunks),
                ]
            })
            .collect();
        output::columns(f, &rows)
    }
}

#[derive(Debug, Serialize)]
struct Places {
    label: u64,
    chunks: Vec<Place>,
}

#[derive(Debug, Serialize)]
struct Place {
    chunk: Vec<i32>,
    voxels: u64,
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<Vec<String>> = self
            .chunks
            .iter()
            .map(|place| {
                let axes: Vec<String> = place.chunk.iter().map(ToString::to_string).collect();
                vec![format!("chunk ({})", axes.join(",")), format!("{} voxels", place.voxels)]
            })
            .collect();
        output::columns(f, &rows)
    }
}

pub(crate) fn run(args: &Args, output: Output) -> Result<()> {
    let store = store::open_to_read(&args.store)?;
    let at = Volume::open(&store, &args.volume)?.at(store::version_id(&store, args.at.as_deref())?);
    let limit = args.limit.unwrap_or(usize::MAX);
    if let Some(label) = args.label {
        let chunks = at.chunks_of_label(label)?.into_iter().take(limit);
        let chunks = chunks.map(|(chunk, voxels)| Place { chunk: chunk.to_vec(), voxels }).collect();
        return output.print(&Places { label, chunks });
    }
    let mut labels = Vec::new();
    if limit > 0 {
        at.labels(&mut |size| {
            labels.push(Label { label: size.label, voxels: size.voxels, chunks: size.chunks });
            Ok(if labels.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
    }
    output.print(&Labels { labels })
}
